//! Which children the kernel's OOM killer has killed: [`OomKills`] matches the kernel's counter with the exits that are reaped.
//!
//! The kernel counts OOM kills per control group and does not name the process. A kill is attributed to a child only where the count
//! rose shortly before the child died of SIGKILL, and at least as many kills are left as children died so:
//!
//! ```text
//!   counter grows ──▶ an increase: how many, and within which window of time
//!   exits of children, all that were reaped together
//!      SIGKILL, no more than kills are left, all increases fresh ────▶ Killed, the kills are used up
//!      SIGKILL, more than kills are left, or a wide window ──────────▶ Possible: it may have been this one
//!      another exit, and a kill is left ─────────────────────────────▶ Possible: a child of it may have been killed
//!      no kill is left ──────────────────────────────────────────────▶ Unrelated
//!   an increase expires after MAX_REAP_DELAY
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::process::lifecycle::Now;

/// The longest time between a kill and the exit it causes: the kernel frees the memory first.
pub const MAX_REAP_DELAY: Duration = Duration::from_secs(3);
/// The most increases that are remembered.
const MAX_INCREASES: usize = 64;

/// How changes of the counter are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterUpdates {
    /// The kernel notifies of each change.
    Notified,
    /// It is polled.
    Polled,
}

/// Between two moments, both since 1970. They are the same where it is known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeWindow {
    /// Not before.
    pub from: Duration,
    /// Not after.
    pub to: Duration,
}

/// How a child ended, as far as an OOM kill may be the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitKind {
    /// By a SIGKILL that we did not send.
    SigKill,
    /// In another way that was not requested.
    Other,
    /// As requested.
    Requested,
}

/// Whether an exit was an OOM kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OomVerdict {
    /// Nothing points to it.
    Unrelated,
    /// The OOM killer killed it.
    Killed,
    /// The kernel killed a process of the control group; whether it was this one cannot be known.
    Possible(TimeWindow),
}

/// The counter as it was last read, and the kills that are not attributed yet.
#[derive(Clone, Debug)]
pub struct OomKills {
    updates: CounterUpdates,
    count: u64,
    read_at: Now,
    increases: VecDeque<CounterIncrease>,
}

#[derive(Clone, Copy, Debug)]
struct CounterIncrease {
    left: u64,
    window: TimeWindow,
    /// When it was noticed (monotonic).
    at: Duration,
    /// The window is so short that an end at its close belongs to it.
    is_sharp: bool,
}

impl OomKills {
    /// Begins with the count as it is now.
    pub fn new(updates: CounterUpdates, count: u64, now: Now) -> Self {
        Self { updates, count, read_at: now, increases: VecDeque::new() }
    }

    /// Takes the counter as it is now; gives how many kills are new, and when they were.
    pub fn update(&mut self, count: u64, now: Now) -> Option<(u64, TimeWindow)> {
        let new = count.checked_sub(self.count).filter(|new| *new > 0);
        let since = std::mem::replace(&mut self.read_at, now);
        self.count = count;
        self.expire(now);
        let new = new?;
        let (from, is_sharp) = match self.updates {
            CounterUpdates::Notified => (now.wall, true),
            CounterUpdates::Polled => {
                (since.wall.min(now.wall), now.mono.saturating_sub(since.mono) <= MAX_REAP_DELAY)
            }
        };
        let window = TimeWindow { from, to: now.wall };
        if self.increases.len() == MAX_INCREASES {
            self.increases.pop_front();
        }
        self.increases.push_back(CounterIncrease { left: new, window, at: now.mono, is_sharp });
        Some((new, window))
    }

    /// Classifies the exits that were reaped together, after the counter was read; a verdict for each.
    pub fn classify(&mut self, ends: &[ExitKind], now: Now) -> Vec<OomVerdict> {
        self.expire(now);
        let killed =
            u64::try_from(ends.iter().filter(|end| **end == ExitKind::SigKill).count()).unwrap_or(u64::MAX);
        let sharp = self.increases.iter().filter(|rise| rise.is_sharp);
        let left = sharp.fold(0_u64, |sum, rise| sum.saturating_add(rise.left));
        let of_killed = if killed > 0 && killed <= left {
            self.consume(killed);
            OomVerdict::Killed
        } else {
            self.possible()
        };
        let of_others = self.possible();
        let judge = |end: &ExitKind| match end {
            ExitKind::SigKill => of_killed,
            ExitKind::Other => of_others,
            ExitKind::Requested => OomVerdict::Unrelated,
        };
        ends.iter().map(judge).collect()
    }

    fn possible(&self) -> OomVerdict {
        let last = self.increases.iter().rev().find(|rise| rise.left > 0);
        last.map_or(OomVerdict::Unrelated, |rise| OomVerdict::Possible(rise.window))
    }

    fn consume(&mut self, mut kills: u64) {
        for rise in self.increases.iter_mut().filter(|rise| rise.is_sharp) {
            let used = rise.left.min(kills);
            rise.left -= used;
            kills -= used;
        }
    }

    fn expire(&mut self, now: Now) {
        self.increases.retain(|rise| rise.left > 0 && now.mono.saturating_sub(rise.at) <= MAX_REAP_DELAY);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Now {
        Now { mono: Duration::from_millis(millis), wall: Duration::from_millis(1_000_000 + millis) }
    }

    fn window(from: u64, to: u64) -> TimeWindow {
        TimeWindow { from: at(from).wall, to: at(to).wall }
    }

    #[test]
    fn kills_are_pinned_by_time() {
        use ExitKind::{Other, Requested, SigKill};
        use OomVerdict::{Possible, Unrelated};
        let hour = 3_600_000;
        // Watched or not, when the count is read as what, when which children end, and what they died of.
        type Row<'r> = (CounterUpdates, &'r [(u64, u64)], u64, &'r [ExitKind], &'r [OomVerdict]);
        let rows: &[Row<'_>] = &[
            (CounterUpdates::Notified, &[(hour, 1)], hour + 500, &[SigKill], &[OomVerdict::Killed]),
            // A grandchild was killed an hour before the child.
            (CounterUpdates::Notified, &[(0, 1), (hour, 1)], hour, &[SigKill], &[Unrelated]),
            (CounterUpdates::Notified, &[(hour, 1)], hour, &[Requested], &[Unrelated]),
            (CounterUpdates::Notified, &[(hour, 1)], hour, &[Other], &[Possible(window(hour, hour))]),
            (
                CounterUpdates::Notified,
                &[(hour, 1)],
                hour,
                &[SigKill, Other],
                &[OomVerdict::Killed, Unrelated],
            ),
            (CounterUpdates::Notified, &[(hour, 1)], hour, &[SigKill; 2], &[Possible(window(hour, hour)); 2]),
            (CounterUpdates::Notified, &[(hour, 2)], hour, &[SigKill; 2], &[OomVerdict::Killed; 2]),
            (CounterUpdates::Notified, &[(hour, 0)], hour, &[SigKill], &[Unrelated]),
            // It is unknown when within the hour it was.
            (CounterUpdates::Polled, &[(hour, 1)], hour, &[SigKill], &[Possible(window(0, hour))]),
            (
                CounterUpdates::Polled,
                &[(hour, 0), (hour + 900, 1)],
                hour + 900,
                &[SigKill],
                &[OomVerdict::Killed],
            ),
            (CounterUpdates::Polled, &[(hour, 1)], hour + 4000, &[SigKill], &[Unrelated]),
        ];
        for (watching, reads, end, ends, verdicts) in rows {
            let mut kills = OomKills::new(*watching, 0, at(0));
            for (when, count) in *reads {
                kills.update(*count, at(*when));
            }
            assert_eq!(kills.classify(ends, at(*end)), *verdicts, "{watching:?} {reads:?} {ends:?}");
        }
    }

    #[test]
    fn what_is_new_is_told_with_its_window() {
        let mut kills = OomKills::new(CounterUpdates::Polled, 5, at(0));
        assert_eq!(kills.update(5, at(10)), None);
        assert_eq!(kills.update(7, at(5000)), Some((2, window(10, 5000))));
        assert_eq!(kills.update(1, at(6000)), None, "another control group");
        assert_eq!(kills.update(2, at(6000)), Some((1, window(6000, 6000))));
    }

    proptest! {
        #[test]
        fn no_more_are_pinned_than_were_killed_and_none_long_after(
            steps in proptest::collection::vec((0_u64..5000, 0_u64..3, proptest::collection::vec(0_u8..3, 0..4)), 1..40),
            watched in any::<bool>(),
        ) {
            let watching = if watched { CounterUpdates::Notified } else { CounterUpdates::Polled };
            let mut kills = OomKills::new(watching, 0, at(0));
            let (mut now, mut count, mut pinned, mut last_rise) = (0, 0, 0, None);
            for (pause, new, ends) in steps {
                now += pause;
                count += new;
                if new > 0 {
                    last_rise = Some(now);
                }
                kills.update(count, at(now));
                let ends: Vec<ExitKind> =
                    ends.iter().map(|end| [ExitKind::SigKill, ExitKind::Other, ExitKind::Requested][usize::from(*end)]).collect();
                for (end, verdict) in ends.iter().zip(kills.classify(&ends, at(now))) {
                    match verdict {
                        OomVerdict::Unrelated => {}
                        OomVerdict::Killed => {
                            prop_assert_eq!(*end, ExitKind::SigKill);
                            pinned += 1;
                        }
                        OomVerdict::Possible(_) => prop_assert!(*end != ExitKind::Requested),
                    }
                    if verdict != OomVerdict::Unrelated {
                        prop_assert!(last_rise.is_some_and(|rise| at(now).mono - at(rise).mono <= MAX_REAP_DELAY));
                    }
                }
                prop_assert!(pinned <= count);
            }
        }
    }
}
