//! Back-pressure of a listener pool: how long writers of output wait for a pool whose buffer is filling up. The owner asks
//! [`Backpressure`] before it pauses reading a child's pipe; it never waits for a pool that makes no progress.
//!
//! ```text
//!            filled beyond 3/4                    2 s without progress, or 10 s in all
//!   CLEAR ─────────────────────▶ PAUSING ──────────────────────────────────────────────▶ EXPIRED
//!     ▲                           │   ▲                                                    │  │
//!     │  progress, at most 1/2    │   └──────── progress, within the 10 s ─────────────────┘  │
//!     └───────────────────────────┴──── or other members than before (reset) ─────────────────┘
//! ```
//!
//! | state | filled beyond 3/4 | progress, still beyond 1/2 | progress, at most 1/2 | reset |
//! |---|---|---|---|---|
//! | CLEAR | PAUSING | CLEAR | CLEAR | CLEAR |
//! | PAUSING | PAUSING | PAUSING, 2 s more | CLEAR | CLEAR |
//! | EXPIRED | EXPIRED | PAUSING within the 10 s, else EXPIRED | CLEAR | CLEAR |
//!
//! Writers wait in PAUSING alone. In EXPIRED the pool drops what matters least, as it must.

use std::time::Duration;

use super::pool::Pool;

/// A writer waits this long for a pool that makes no progress.
pub const STALL_LIMIT: Duration = Duration::from_secs(2);
/// A writer waits this long for a pool at all, before the pool has caught up.
pub const PAUSE_LIMIT: Duration = Duration::from_secs(10);

/// How full a pool's buffer is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FillLevel {
    /// At most half.
    Low,
    /// Beyond half.
    Medium,
    /// Beyond three quarters.
    High,
}

impl FillLevel {
    /// Of this pool's buffer. No writer waits for a pool without members.
    pub fn of(pool: &Pool) -> Self {
        match () {
            () if pool.members().next().is_none() => Self::Low,
            () if pool.is_filled(3, 4) => Self::High,
            () if pool.is_filled(1, 2) => Self::Medium,
            () => Self::Low,
        }
    }
}

/// The back-pressure of one pool. Times are monotonic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backpressure {
    congestion: Option<Congestion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Congestion {
    since: Duration,
    /// When the pool last dealt with an event, or fell behind.
    progress: Duration,
}

impl Backpressure {
    /// Whether a writer whose output makes events for the pool has to wait.
    pub fn must_wait(&mut self, level: FillLevel, now: Duration) -> bool {
        if level == FillLevel::High {
            self.congestion.get_or_insert(Congestion { since: now, progress: now });
            return self.deadline().is_some_and(|deadline| now < deadline);
        }
        false
    }

    /// The pool has dealt with an event. Gives whether it has caught up: writers that waited for it go on.
    pub fn progress(&mut self, level: FillLevel, now: Duration) -> bool {
        let Some(congestion) = &mut self.congestion else { return false };
        congestion.progress = now;
        let has_caught_up = level == FillLevel::Low;
        if has_caught_up {
            self.congestion = None;
        }
        has_caught_up
    }

    /// The pool has other members than before: how long it has been behind does not count against these.
    pub fn reset(&mut self) {
        self.congestion = None;
    }

    /// Until when writers wait for this pool; `None` where none has to.
    pub fn deadline(&self) -> Option<Duration> {
        self.congestion
            .map(|congestion| (congestion.progress + STALL_LIMIT).min(congestion.since + PAUSE_LIMIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_pool_without_progress_is_waited_for_two_seconds_and_one_with_progress_ten() {
        let mut pressure = Backpressure::default();
        assert!(!pressure.must_wait(FillLevel::Medium, millis(0)) && pressure.deadline().is_none());
        assert!(pressure.must_wait(FillLevel::High, millis(0)));
        assert!(pressure.must_wait(FillLevel::High, millis(1999)));
        assert!(!pressure.must_wait(FillLevel::High, millis(2000)));
        for second in 2..10 {
            assert!(!pressure.progress(FillLevel::Medium, millis(second * 1000)));
            assert!(pressure.must_wait(FillLevel::High, millis(second * 1000)));
        }
        assert!(!pressure.progress(FillLevel::High, millis(10_000)));
        assert!(!pressure.must_wait(FillLevel::High, millis(10_000)));
        assert!(pressure.progress(FillLevel::Low, millis(10_001)));
        assert!(pressure.must_wait(FillLevel::High, millis(10_002)));
        pressure.reset();
        assert_eq!(pressure, Backpressure::default());
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum State {
        Clear,
        Pausing,
        Expired,
    }

    fn state(pressure: &Backpressure, now: Duration) -> State {
        match pressure.deadline() {
            None => State::Clear,
            Some(deadline) if now < deadline => State::Pausing,
            Some(_) => State::Expired,
        }
    }

    /// A row of the table at the head of this file.
    fn row(state: State) -> Vec<&'static str> {
        let name = format!("{state:?}").to_uppercase();
        let rows = include_str!("backpressure.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let mut rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        rows.find(|cells| cells[0] == name).unwrap()
    }

    proptest! {
        #[test]
        fn each_step_is_in_the_table_and_nobody_waits_longer_than_the_limit(
            steps in prop::collection::vec((0_u64..3000, 0_u8..5), 1..60),
        ) {
            let mut pressure = Backpressure::default();
            let (mut now, mut since) = (millis(0), None);
            for (pause, input) in steps {
                now += millis(pause);
                let before = state(&pressure, now);
                let column = match input {
                    0 | 1 => {
                        let waits = pressure.must_wait(FillLevel::High, now);
                        prop_assert_eq!(waits, state(&pressure, now) == State::Pausing);
                        1
                    }
                    2 => {
                        prop_assert!(!pressure.progress(FillLevel::Medium, now));
                        2
                    }
                    3 => {
                        prop_assert_eq!(pressure.progress(FillLevel::Low, now), before != State::Clear);
                        3
                    }
                    _ => {
                        pressure.reset();
                        4
                    }
                };
                let after = state(&pressure, now);
                let allowed = row(before)[column];
                prop_assert!(allowed.contains(&format!("{after:?}").to_uppercase()), "{before:?} {input} {after:?}");
                since = if after == State::Clear { None } else { since.or(Some(now)) };
                if after == State::Pausing {
                    prop_assert!(since.is_some_and(|since| now < since + PAUSE_LIMIT));
                }
            }
        }
    }
}
