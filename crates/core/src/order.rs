//! In which order things are started and stopped.

/// Puts `items` in the order of starting: lower priorities first, and as they stand where priorities are equal.
pub fn start_order<T>(items: &mut [T], priority: impl Fn(&T) -> i64) {
    items.sort_by_key(priority);
}

/// Puts `items` in the order of stopping: exactly the reverse of starting.
pub fn stop_order<T>(items: &mut [T], priority: impl Fn(&T) -> i64) {
    items.sort_by_key(priority);
    items.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_first_is_stopped_last() {
        let mut items = [("c", 999), ("a", 1), ("d", 999), ("b", -1)];
        start_order(&mut items, |item| item.1);
        assert_eq!(items.map(|item| item.0), ["b", "a", "c", "d"]);
        let mut items = [("c", 999), ("a", 1), ("d", 999), ("b", -1)];
        stop_order(&mut items, |item| item.1);
        assert_eq!(items.map(|item| item.0), ["d", "c", "a", "b"]);
    }
}
