//! The condition of a listener pool, for the journal: [`PoolCondition`], stepped with the counts of the pool, tells when it
//! gets into trouble and when it is well again.
//!
//! ```text
//!            events were dropped (told once a minute), the protocol was broken (told each time)
//!   WELL ──────────────────────────────────────────────────────────────────────────────────────▶ TROUBLED
//!    ▲                                                                                              │
//!    └──────────────────────────── an answer, and no event waits ◀──────────────────────────────────┘
//! ```
//!
//! | condition | seen | told |
//! |---|---|---|
//! | any | broken | `broken` |
//! | any | events were dropped, none told within a minute | `overflow` with their number |
//! | any | events were dropped, others told within a minute | nothing; they count in the next report |
//! | troubled | an answer, and no event waits | `well` with the number that was not told |

use std::time::Duration;

use ironlance_core::journal::PoolTrouble;

/// An overflow is told no more often than this.
const OVERFLOW_EVERY: Duration = Duration::from_secs(60);

/// What is known of a pool, and was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolCondition {
    is_troubled: bool,
    /// The number of dropped events that were told.
    told: u64,
    /// The number of answers at the last step.
    answered: u64,
    /// When an overflow was last told (monotonic).
    overflow_told: Option<Duration>,
}

/// The counts of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolObservation {
    /// The events that it has dropped.
    pub(crate) dropped: u64,
    /// The events that it has answered.
    pub(crate) answered: u64,
    /// The events that wait in it.
    pub(crate) waiting: usize,
    /// A listener of it has just broken the protocol or given up.
    pub(crate) is_broken: bool,
}

/// A change that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolChange {
    pub(crate) trouble: PoolTrouble,
    /// The number of dropped events that were not told before.
    pub(crate) lost: u64,
}

impl PoolCondition {
    /// What is to be told at this time (monotonic).
    pub(crate) fn step(&mut self, seen: PoolObservation, now: Duration) -> Vec<PoolChange> {
        let mut changes = Vec::new();
        let is_due = self.overflow_told.is_none_or(|at| now >= at + OVERFLOW_EVERY);
        if seen.dropped > self.told && is_due {
            self.overflow_told = Some(now);
            changes.push(self.tell(PoolTrouble::Overflow, seen.dropped));
        }
        if seen.is_broken {
            changes.push(self.tell(PoolTrouble::Broken, seen.dropped));
        }
        let is_answered = seen.answered > std::mem::replace(&mut self.answered, seen.answered);
        if self.is_troubled && is_answered && seen.waiting == 0 && changes.is_empty() {
            changes.push(self.tell(PoolTrouble::Well, seen.dropped));
        }
        changes
    }

    fn tell(&mut self, trouble: PoolTrouble, dropped: u64) -> PoolChange {
        self.is_troubled = trouble != PoolTrouble::Well;
        let lost = dropped.saturating_sub(self.told);
        self.told = self.told.max(dropped);
        PoolChange { trouble, lost }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(dropped: u64, answered: u64, waiting: usize) -> PoolObservation {
        PoolObservation { dropped, answered, waiting, is_broken: false }
    }

    #[test]
    fn each_row_of_the_table() {
        let mut condition = PoolCondition::default();
        let mut step = |seen: PoolObservation, seconds| {
            let changes = condition.step(seen, Duration::from_secs(seconds));
            changes.into_iter().map(|change| (change.trouble, change.lost)).collect::<Vec<_>>()
        };
        assert_eq!(step(seen(0, 5, 0), 1), [], "it is well");
        assert_eq!(step(seen(1, 5, 9), 2), [(PoolTrouble::Overflow, 1)]);
        assert_eq!(step(seen(7, 5, 9), 3), [], "told within a minute");
        assert_eq!(step(seen(7, 6, 8), 4), [], "it answers, but events wait");
        assert_eq!(step(seen(7, 14, 0), 5), [(PoolTrouble::Well, 6)]);
        assert_eq!(step(seen(8, 14, 9), 6), [], "told within a minute");
        assert_eq!(step(seen(9, 14, 9), 62), [(PoolTrouble::Overflow, 2)]);
        let broken = PoolObservation { is_broken: true, ..seen(9, 14, 9) };
        assert_eq!(step(broken, 63), [(PoolTrouble::Broken, 0)]);
        assert_eq!(step(broken, 64), [(PoolTrouble::Broken, 0)], "each time");
        assert_eq!(step(seen(9, 30, 0), 65), [(PoolTrouble::Well, 0)]);
    }

    proptest! {
        #[test]
        fn every_drop_is_counted_once_and_overflows_are_told_once_a_minute(
            steps in prop::collection::vec((0_u64..5, 0_u64..3, 0_usize..3, any::<bool>(), 0_u64..40), 0..60),
        ) {
            let mut condition = PoolCondition::default();
            let (mut dropped, mut answered, mut now, mut lost) = (0, 0, Duration::ZERO, 0);
            let (mut overflow, mut was_well) = (None::<Duration>, true);
            for (drops, answers, waiting, is_broken, seconds) in steps {
                dropped += drops;
                answered += answers;
                now += Duration::from_secs(seconds);
                for change in condition.step(PoolObservation { dropped, answered, waiting, is_broken }, now) {
                    lost += change.lost;
                    prop_assert!(change.trouble != PoolTrouble::Well || !was_well);
                    if change.trouble == PoolTrouble::Overflow {
                        prop_assert!(change.lost > 0);
                        prop_assert!(overflow.is_none_or(|at| now >= at + OVERFLOW_EVERY));
                        overflow = Some(now);
                    }
                    was_well = change.trouble == PoolTrouble::Well;
                }
                prop_assert!(lost <= dropped);
            }
            condition.step(PoolObservation { dropped, answered, waiting: 9, is_broken: true }, now)
                .iter().for_each(|change| lost += change.lost);
            prop_assert_eq!(lost, dropped);
        }
    }
}
