//! When the tick events are due: [`TickSchedule`].

use std::time::Duration;

/// The periods of the tick events, in seconds.
pub const PERIODS: [u32; 3] = [5, 60, 3600];

/// The wall clock cut into periods; a tick is due when a new one has begun.
#[derive(Clone, Debug, PartialEq)]
pub struct TickSchedule {
    /// For each of [`PERIODS`], the second since 1970 at which the current one began.
    current: [u64; 3],
}

/// Ticks that are due, most of the time none: period and begin in seconds.
pub type DueTicks = Vec<(u32, u64)>;

impl TickSchedule {
    /// Begins at `wall` since 1970; the first ticks come with the next periods.
    pub fn new(wall: Duration) -> Self {
        Self { current: PERIODS.map(|period| slice(period, wall)) }
    }

    /// The ticks that are due at `wall`, shortest period first, and at most one of each: a clock set forward does not
    /// make up for what it left out, and a clock set back gives none for the way back (the original gives one).
    ///
    /// Also called, with its result ignored, after a time without a subscription to ticks.
    pub fn due(&mut self, wall: Duration) -> DueTicks {
        let mut due = Vec::new();
        for (period, current) in PERIODS.into_iter().zip(&mut self.current) {
            let begin = slice(period, wall);
            if begin > *current {
                due.push((period, begin));
            }
            *current = begin;
        }
        due
    }

    /// When to call `due` next for those periods that `wanted` says yes to, in the past where something is due at `wall`
    /// already; `None` where there are none.
    pub fn next_deadline(&self, wall: Duration, wanted: impl Fn(u32) -> bool) -> Option<Duration> {
        let each = PERIODS.into_iter().zip(self.current).filter(|(period, _)| wanted(*period));
        each.map(|(period, current)| {
            let begin = current.min(slice(period, wall));
            Duration::from_secs(begin.saturating_add(u64::from(period)))
        })
        .min()
    }
}

fn slice(period: u32, wall: Duration) -> u64 {
    let seconds = wall.as_secs();
    seconds - seconds % u64::from(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_tick_comes_when_its_period_rolls_over() {
        let mut ticks = TickSchedule::new(at(3597));
        assert_eq!(ticks.next_deadline(at(3597), |_| true), Some(at(3600)));
        assert_eq!(ticks.due(at(3599)), []);
        assert_eq!(ticks.due(at(3600)), [(5, 3600), (60, 3600), (3600, 3600)]);
        assert_eq!(ticks.due(at(3604)), []);
        assert_eq!(ticks.due(Duration::from_millis(3_605_001)), [(5, 3605)]);
        assert_eq!(ticks.next_deadline(at(3606), |period| period == 60), Some(at(3660)));
        assert_eq!(ticks.next_deadline(at(3606), |_| false), None);
    }

    #[test]
    fn a_clock_set_forward_gives_one_tick_of_each_period_and_set_back_none() {
        let mut ticks = TickSchedule::new(at(10_000));
        assert_eq!(ticks.due(at(20_003)), [(5, 20_000), (60, 19_980), (3600, 18_000)]);
        assert_eq!(ticks.due(at(10_003)), []);
        assert_eq!(ticks.next_deadline(at(10_003), |_| true), Some(at(10_005)));
        assert_eq!(ticks.due(at(10_005)), [(5, 10_005)]);
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_the_next_deadline_brings_the_next_tick(
            start in 0u64..1 << 40, steps in prop::collection::vec(0u64..1 << 40, 1..20)
        ) {
            let mut ticks = TickSchedule::new(at(start));
            for wall in steps {
                ticks.due(at(wall));
                let next = ticks.next_deadline(at(wall), |_| true).unwrap();
                prop_assert!(next > at(wall) && next <= at(wall + 5));
                prop_assert!(!ticks.due(next).is_empty());
                prop_assert!(ticks.due(next).is_empty());
            }
        }
    }
}
