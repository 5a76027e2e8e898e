//! When a listener that broke the protocol is started again: [`Recycling`], a pause that grows with each violation and
//! shrinks with time, and a limit for each minute. The owner asks it before it stops such a listener.
//!
//! ```text
//!            violation: pause 0              violation: pause 1, 2, 4 … 60 s
//!   level 0 ───────────────────▶ level 1 ───────────────────────────────────▶ level 2 … MAX_LEVEL
//!      ▲                          │   ▲                                          │
//!      └── DECAY without one ─────┘   └────────── DECAY without one ─────────────┘
//! ```
//!
//! | level | violation | after each [`DECAY`] without one | reset |
//! |---|---|---|---|
//! | 0 | 1, no pause | 0 | 0 |
//! | n | n + 1 (at most [`MAX_LEVEL`]), pause of 2^(n-1) s, at most [`MAX_RECYCLE_PAUSE`] | n - 1 | 0 |
//!
//! Whatever the level, there are at most [`MAX_RESTARTS_PER_MINUTE`] starts in any minute: a pause is longer where it must be.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::backoff::Backoff;

/// The longest pause.
pub const MAX_RECYCLE_PAUSE: Duration = Duration::from_secs(60);
/// The first violation has no pause, the second one this.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: MAX_RECYCLE_PAUSE };
/// After this time without a violation the level falls by one.
const DECAY: Duration = Duration::from_secs(60);
/// The most starts in any minute, whatever the level.
pub const MAX_RESTARTS_PER_MINUTE: usize = 10;
/// The minute of that limit.
const MINUTE: Duration = Duration::from_secs(60);
/// The level does not rise above this.
const MAX_LEVEL: u32 = 8;

/// The violations of one listener, over all of its processes. Times are monotonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recycling {
    level: u32,
    /// Since when the level has been what it is.
    since: Duration,
    /// When it was, or will be, started again, within the last minute.
    starts: VecDeque<Duration>,
}

impl Recycling {
    /// The listener broke the protocol. Gives how long to wait, from `now` on, until the listener is started again.
    pub fn violation(&mut self, now: Duration) -> Duration {
        self.level = (self.level(now) + 1).min(MAX_LEVEL);
        self.since = now;
        let mut at = now + BACKOFF.pause(self.level - 1);
        self.starts.retain(|start| *start + MINUTE > now);
        if let Some(earliest) =
            self.starts.len().checked_sub(MAX_RESTARTS_PER_MINUTE).map(|first| self.starts[first] + MINUTE)
        {
            at = at.max(earliest);
        }
        self.starts.push_back(at);
        at - now
    }

    /// The level at `now`.
    pub fn level(&self, now: Duration) -> u32 {
        let decayed = now.saturating_sub(self.since).as_secs() / DECAY.as_secs();
        self.level.saturating_sub(u32::try_from(decayed).unwrap_or(u32::MAX))
    }

    /// An operator stops or starts it: all violations are forgotten.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_pause_grows_with_each_violation_up_to_a_minute() {
        let mut recycling = Recycling::default();
        let mut now = secs(0);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let pause = recycling.violation(now);
            pauses.push(pause.as_secs());
            now += pause;
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn the_level_falls_with_time_and_not_at_once() {
        let mut recycling = Recycling::default();
        for _ in 0..4 {
            recycling.violation(secs(0));
        }
        assert_eq!([0, 59, 60, 120, 240].map(|at| recycling.level(secs(at))), [4, 4, 3, 2, 0]);
        assert_eq!(recycling.violation(secs(180)), secs(1));
        recycling.reset();
        assert_eq!(recycling.violation(secs(181)), secs(0));
    }

    proptest! {
        #[test]
        fn the_level_follows_the_table(steps in prop::collection::vec((0_u64..300, 0_u8..5), 1..60)) {
            let mut recycling = Recycling::default();
            let (mut now, mut level, mut since) = (0, 0_u64, 0);
            for (gap, input) in steps {
                now += gap;
                let current = level.saturating_sub((now - since) / DECAY.as_secs());
                prop_assert_eq!(u64::from(recycling.level(secs(now))), current);
                if input == 0 {
                    recycling.reset();
                    level = 0;
                } else {
                    let least = if current == 0 { 0 } else { 1 << (current - 1) };
                    prop_assert!(recycling.violation(secs(now)) >= secs(least).min(MAX_RECYCLE_PAUSE));
                    level = (current + 1).min(u64::from(MAX_LEVEL));
                }
                since = now;
            }
        }

        #[test]
        fn there_are_never_more_starts_in_a_minute_than_the_limit(
            gaps in prop::collection::vec(prop_oneof![Just(0u64), 0u64..5, 55u64..70, 0u64..600], 1..80)
        ) {
            let mut recycling = Recycling::default();
            let (mut now, mut starts) = (secs(0), Vec::new());
            for gap in gaps {
                let pause = recycling.violation(now);
                prop_assert!(pause <= MAX_RECYCLE_PAUSE + MINUTE, "{pause:?}");
                // It breaks the protocol again only after it was started.
                now += pause;
                starts.push(now);
                now += secs(gap);
            }
            for window in starts.windows(MAX_RESTARTS_PER_MINUTE + 1) {
                prop_assert!(window[MAX_RESTARTS_PER_MINUTE] - window[0] >= MINUTE, "{window:?}");
            }
        }
    }
}
