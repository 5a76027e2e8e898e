//! Whom the kernel has killed for want of memory: its count of such kills against the ends that are seen.
//!
//! The kernel counts kills in a control group and does not say whom. A kill is pinned on a child only where the count
//! rose shortly before the child died of SIGKILL, and at least as many kills are left as children died so:
//!
//! ```text
//!   count rises ──▶ a rise: how many, and within which window of time
//!   ends of children, all that were reaped together
//!      died of SIGKILL, as many as kills are left, all rises fresh ──▶ Killed, the kills are used up
//!      died of SIGKILL, more than kills are left, or a wide window ──▶ Near: it may have been this one
//!      died otherwise, and a kill is left ───────────────────────────▶ Near: a child of it may have been killed
//!      no kill is left ──────────────────────────────────────────────▶ Untouched
//!   a rise is forgotten when it is older than CLOSE
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::lifecycle::Now;

/// Between the kernel's kill and the end that it makes there may be so much time: memory has to be given back first.
pub const CLOSE: Duration = Duration::from_secs(3);
/// So many rises are remembered.
const MOST_RISES: usize = 64;

/// How the count is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// The kernel tells when it changes.
    AtOnce,
    /// It is read now and then.
    NowAndThen,
}

/// Between two moments, both since 1970. They are the same where it is known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Not before.
    pub from: Duration,
    /// Not after.
    pub to: Duration,
}

/// How a child ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Of SIGKILL, which we did not send.
    Killed,
    /// In another way that nobody asked for.
    Otherwise,
    /// As it was told.
    Told,
}

/// What want of memory had to do with an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that is known.
    Untouched,
    /// The kernel killed it for want of memory.
    Killed,
    /// The kernel killed a process of the control group; whether it was this one cannot be known.
    Near(Window),
}

/// The count as it was read, and the kills that are pinned on nobody yet.
#[derive(Clone, Debug)]
pub struct Kills {
    watching: Watching,
    seen: u64,
    read_at: Now,
    rises: VecDeque<Rise>,
}

#[derive(Clone, Copy, Debug)]
struct Rise {
    left: u64,
    window: Window,
    /// When it was noticed (monotonic).
    at: Duration,
    /// The window is so short that an end at its close belongs to it.
    is_sharp: bool,
}

impl Kills {
    /// Begins with the count as it is now.
    pub fn new(watching: Watching, count: u64, now: Now) -> Self {
        Self { watching, seen: count, read_at: now, rises: VecDeque::new() }
    }

    /// Takes note of the count; gives how many kills are new, and when they were.
    pub fn read(&mut self, count: u64, now: Now) -> Option<(u64, Window)> {
        let new = count.checked_sub(self.seen).filter(|new| *new > 0);
        let since = std::mem::replace(&mut self.read_at, now);
        self.seen = count;
        self.forget(now);
        let new = new?;
        let (from, is_sharp) = match self.watching {
            Watching::AtOnce => (now.wall, true),
            Watching::NowAndThen => (since.wall.min(now.wall), now.mono.saturating_sub(since.mono) <= CLOSE),
        };
        let window = Window { from, to: now.wall };
        if self.rises.len() == MOST_RISES {
            self.rises.pop_front();
        }
        self.rises.push_back(Rise { left: new, window, at: now.mono, is_sharp });
        Some((new, window))
    }

    /// Judges the ends that were noticed together, after the count was read; a verdict for each.
    pub fn judge(&mut self, ends: &[Ended], now: Now) -> Vec<Verdict> {
        self.forget(now);
        let killed =
            u64::try_from(ends.iter().filter(|end| **end == Ended::Killed).count()).unwrap_or(u64::MAX);
        let sharp = self.rises.iter().filter(|rise| rise.is_sharp);
        let left = sharp.fold(0_u64, |sum, rise| sum.saturating_add(rise.left));
        let of_killed = if killed > 0 && killed <= left {
            self.use_up(killed);
            Verdict::Killed
        } else {
            self.near()
        };
        let of_others = self.near();
        let judge = |end: &Ended| match end {
            Ended::Killed => of_killed,
            Ended::Otherwise => of_others,
            Ended::Told => Verdict::Untouched,
        };
        ends.iter().map(judge).collect()
    }

    fn near(&self) -> Verdict {
        let last = self.rises.iter().rev().find(|rise| rise.left > 0);
        last.map_or(Verdict::Untouched, |rise| Verdict::Near(rise.window))
    }

    fn use_up(&mut self, mut kills: u64) {
        for rise in self.rises.iter_mut().filter(|rise| rise.is_sharp) {
            let used = rise.left.min(kills);
            rise.left -= used;
            kills -= used;
        }
    }

    fn forget(&mut self, now: Now) {
        self.rises.retain(|rise| rise.left > 0 && now.mono.saturating_sub(rise.at) <= CLOSE);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Now {
        Now { mono: Duration::from_millis(millis), wall: Duration::from_millis(1_000_000 + millis) }
    }

    fn window(from: u64, to: u64) -> Window {
        Window { from: at(from).wall, to: at(to).wall }
    }

    #[test]
    fn kills_are_pinned_by_time() {
        use Ended::{Killed, Otherwise, Told};
        use Verdict::{Near, Untouched};
        let hour = 3_600_000;
        // Watched or not, when the count is read as what, when which children end, and what they died of.
        type Row<'r> = (Watching, &'r [(u64, u64)], u64, &'r [Ended], &'r [Verdict]);
        let rows: &[Row<'_>] = &[
            (Watching::AtOnce, &[(hour, 1)], hour + 500, &[Killed], &[Verdict::Killed]),
            // A grandchild's, an hour before somebody kills the child.
            (Watching::AtOnce, &[(0, 1), (hour, 1)], hour, &[Killed], &[Untouched]),
            (Watching::AtOnce, &[(hour, 1)], hour, &[Told], &[Untouched]),
            (Watching::AtOnce, &[(hour, 1)], hour, &[Otherwise], &[Near(window(hour, hour))]),
            (Watching::AtOnce, &[(hour, 1)], hour, &[Killed, Otherwise], &[Verdict::Killed, Untouched]),
            (Watching::AtOnce, &[(hour, 1)], hour, &[Killed; 2], &[Near(window(hour, hour)); 2]),
            (Watching::AtOnce, &[(hour, 2)], hour, &[Killed; 2], &[Verdict::Killed; 2]),
            (Watching::AtOnce, &[(hour, 0)], hour, &[Killed], &[Untouched]),
            // Nobody knows when within the hour it was.
            (Watching::NowAndThen, &[(hour, 1)], hour, &[Killed], &[Near(window(0, hour))]),
            (Watching::NowAndThen, &[(hour, 0), (hour + 900, 1)], hour + 900, &[Killed], &[Verdict::Killed]),
            (Watching::NowAndThen, &[(hour, 1)], hour + 4000, &[Killed], &[Untouched]),
        ];
        for (watching, reads, end, ends, verdicts) in rows {
            let mut kills = Kills::new(*watching, 0, at(0));
            for (when, count) in *reads {
                kills.read(*count, at(*when));
            }
            assert_eq!(kills.judge(ends, at(*end)), *verdicts, "{watching:?} {reads:?} {ends:?}");
        }
    }

    #[test]
    fn what_is_new_is_told_with_its_window() {
        let mut kills = Kills::new(Watching::NowAndThen, 5, at(0));
        assert_eq!(kills.read(5, at(10)), None);
        assert_eq!(kills.read(7, at(5000)), Some((2, window(10, 5000))));
        assert_eq!(kills.read(1, at(6000)), None, "another control group");
        assert_eq!(kills.read(2, at(6000)), Some((1, window(6000, 6000))));
    }

    proptest! {
        #[test]
        fn no_more_are_pinned_than_were_killed_and_none_long_after(
            steps in proptest::collection::vec((0_u64..5000, 0_u64..3, proptest::collection::vec(0_u8..3, 0..4)), 1..40),
            watched in any::<bool>(),
        ) {
            let watching = if watched { Watching::AtOnce } else { Watching::NowAndThen };
            let mut kills = Kills::new(watching, 0, at(0));
            let (mut now, mut count, mut pinned, mut last_rise) = (0, 0, 0, None);
            for (pause, new, ends) in steps {
                now += pause;
                count += new;
                if new > 0 {
                    last_rise = Some(now);
                }
                kills.read(count, at(now));
                let ends: Vec<Ended> =
                    ends.iter().map(|end| [Ended::Killed, Ended::Otherwise, Ended::Told][usize::from(*end)]).collect();
                for (end, verdict) in ends.iter().zip(kills.judge(&ends, at(now))) {
                    match verdict {
                        Verdict::Untouched => {}
                        Verdict::Killed => {
                            prop_assert_eq!(*end, Ended::Killed);
                            pinned += 1;
                        }
                        Verdict::Near(_) => prop_assert!(*end != Ended::Told),
                    }
                    if verdict != Verdict::Untouched {
                        prop_assert!(last_rise.is_some_and(|rise| at(now).mono - at(rise).mono <= CLOSE));
                    }
                }
                prop_assert!(pinned <= count);
            }
        }
    }
}
