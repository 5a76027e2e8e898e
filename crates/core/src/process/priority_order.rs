//! [`StopSequence`]: the order of stops on request, by falling priority; starts go by rising priority.

/// Stops items from the highest priority down: an item is stopped when all items of a higher priority are down.
///
/// ```text
///   pending: 1 1 │ 5 │ 9 9      stopping: 9 9 ── all down ──▶ stopping: 5 ── down ──▶ stopping: 1 1 ──▶ over
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSequence<P, T> {
    /// By rising priority; the last ones are next.
    pending: Vec<(P, T)>,
    stopping: Vec<T>,
}

impl<P: Ord, T: Copy> StopSequence<P, T> {
    /// Of these items, in the order in which equal ones are stopped.
    pub fn new(mut items: Vec<(P, T)>) -> Self {
        // Equal ones leave `pending` from its end, and shall leave it as they stand.
        items.reverse();
        items.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { pending: items, stopping: Vec::new() }
    }

    /// The items that are to be stopped now, given which of them are down. To be asked again whenever one may have come
    /// down, until [`StopSequence::is_over`].
    pub fn step(&mut self, is_down: impl Fn(T) -> bool) -> Vec<T> {
        self.stopping.retain(|item| !is_down(*item));
        if !self.stopping.is_empty() {
            return Vec::new();
        }
        let mut due = Vec::new();
        if let Some((priority, item)) = self.pending.pop() {
            due.push(item);
            while let Some((_, item)) = self.pending.pop_if(|(other, _)| *other == priority) {
                due.push(item);
            }
        }
        self.stopping.clone_from(&due);
        due
    }

    /// Whether there is nothing left to stop, though what was stopped last may not be down yet.
    pub const fn is_over(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_priority_is_stopped_when_all_higher_ones_are_down() {
        let mut sequence = StopSequence::new(vec![(1, "a"), (1, "b"), (5, "c"), (9, "d"), (9, "e")]);
        assert_eq!(sequence.step(|_| false), ["d", "e"]);
        assert!(sequence.step(|item| item == "d").is_empty());
        assert_eq!(sequence.step(|item| item > "c"), ["c"]);
        assert!(!sequence.is_over());
        assert_eq!(sequence.step(|_| true), ["a", "b"]);
        assert!(sequence.is_over());
        assert!(sequence.step(|_| true).is_empty());
    }

    proptest! {
        #[test]
        fn everything_is_stopped_once_and_nothing_before_what_has_a_higher_priority(
            priorities in prop::collection::vec(0..5_i64, 0..20),
            downs in prop::collection::vec(0..20_usize, 0..200),
        ) {
            let items: Vec<(i64, usize)> = priorities.iter().copied().zip(0..).collect();
            let mut sequence = StopSequence::new(items.clone());
            let (mut stopped, mut down) = (Vec::new(), BTreeSet::new());
            // An item comes down at each step, and in the end all are down.
            for next in downs.into_iter().map(Some).chain((0..=priorities.len()).map(|_| None)) {
                for item in sequence.step(|item| down.contains(&item)) {
                    let higher = items.iter().filter(|(priority, _)| *priority > priorities[item]);
                    prop_assert!(higher.clone().all(|(_, other)| down.contains(other)));
                    stopped.push(item);
                }
                match next {
                    Some(item) => drop(stopped.contains(&item).then(|| down.insert(item))),
                    None => down.extend(stopped.iter().copied()),
                }
            }
            prop_assert!(sequence.is_over());
            stopped.sort_unstable();
            prop_assert_eq!(stopped, (0..priorities.len()).collect::<Vec<_>>());
        }
    }
}
