//! In which order things are started; they are stopped the other way round.

/// Puts `items` in the order of starting: lower priorities first, and as they stand where priorities are equal.
pub fn start_order<T>(items: &mut [T], priority: impl Fn(&T) -> i64) {
    items.sort_by_key(priority);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_priorities_start_first_and_equal_ones_as_they_stand() {
        let mut items = [("c", 999), ("a", 1), ("d", 999), ("b", -1)];
        start_order(&mut items, |(_, priority)| *priority);
        assert_eq!(items.map(|(name, _)| name), ["b", "a", "c", "d"]);
    }
}
