//! When a listener that broke the protocol may be started again: a pause that grows with each offence and falls with
//! time, and a limit for each minute.
//!
//! ```text
//!   offence ──▶ level + 1 ──▶ pause: none, 1, 2, 4, 8 … 60 s ──▶ started again
//!      each minute without an offence: level - 1
//!   whatever the level: at most MOST_A_MINUTE starts in any minute
//! ```

use std::collections::VecDeque;
use std::time::Duration;

/// The longest pause.
pub const MAX_RECYCLE_PAUSE: Duration = Duration::from_secs(60);
/// So long without an offence, and one is forgiven.
const DECAY: Duration = Duration::from_secs(60);
/// So many starts in any minute, whatever else is the case.
pub const MAX_RESTARTS_PER_MINUTE: usize = 10;
/// The minute of that limit.
const MINUTE: Duration = Duration::from_secs(60);
/// More offences than this make no longer pause.
const MAX_LEVEL: u32 = 8;

/// What a listener did, over all of its processes. Times are monotonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recycling {
    level: u32,
    /// Since when the level has been what it is.
    since: Duration,
    /// When it was, or will be, started again, within the last minute.
    starts: VecDeque<Duration>,
}

impl Recycling {
    /// An offence. Gives how long to wait, from `now` on, until the listener is started again.
    pub fn violation(&mut self, now: Duration) -> Duration {
        self.level = (self.level(now) + 1).min(MAX_LEVEL);
        self.since = now;
        let pause = match self.level {
            0 | 1 => Duration::ZERO,
            level => Duration::from_secs(1 << (level - 2)).min(MAX_RECYCLE_PAUSE),
        };
        let mut at = now + pause;
        self.starts.retain(|start| *start + MINUTE > now);
        if let Some(earliest) =
            self.starts.len().checked_sub(MAX_RESTARTS_PER_MINUTE).map(|first| self.starts[first] + MINUTE)
        {
            at = at.max(earliest);
        }
        self.starts.push_back(at);
        at - now
    }

    /// How many offences are not forgiven yet.
    pub fn level(&self, now: Duration) -> u32 {
        let forgiven = now.saturating_sub(self.since).as_secs() / DECAY.as_secs();
        self.level.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    /// Somebody looks after it: all is forgiven.
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
    fn the_pause_grows_with_each_offence_up_to_a_minute() {
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
    fn it_falls_by_time_and_not_at_once() {
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
