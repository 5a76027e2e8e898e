//! [`Reminder`]: when a problem that lasts is mailed again. The first mail and any change go at once, repetitions once
//! per interval.
//!
//! ```text
//!            problem: mail           the same, within the interval: no mail
//! healthy ──────────────▶ mailed ───────────────────────────────────────┐
//!   ▲                     │  ▲                                          │
//!   └─────────────────────┘  └──────────────────────────────────────────┘
//!     healthy, or a restart    another kind, or the interval is over: mail
//! ```

use std::collections::HashMap;
use std::time::Duration;

/// The default of `--remind`: the same problem of the same program is mailed once in this time.
pub const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How long the same problem is not mailed again; zero: every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemindInterval(pub Duration);

impl Default for RemindInterval {
    fn default() -> Self {
        Self(INTERVAL)
    }
}

/// What was mailed last about one program.
#[derive(Debug)]
struct LastMail {
    kind: String,
    at: Duration,
}

/// Remembers what was mailed last about each program.
#[derive(Debug)]
pub struct Reminder {
    interval: Duration,
    last_mails: HashMap<String, LastMail>,
}

/// Whether a problem is mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailDecision {
    /// It is mailed.
    Send,
    /// The same was mailed this long ago.
    Suppress(Duration),
}

impl Reminder {
    /// With an interval of zero every problem is mailed every time.
    pub fn new(interval: Duration) -> Self {
        Self { interval, last_mails: HashMap::new() }
    }

    /// A program has a problem of this `kind` at `now`, a time since any fixed moment. `Send` is remembered.
    pub fn on_problem(&mut self, about: &str, kind: &str, now: Duration) -> MailDecision {
        if let Some(last) = self.last_mails.get(about) {
            let ago = now.saturating_sub(last.at);
            if last.kind == kind && ago < self.interval {
                return MailDecision::Suppress(ago);
            }
        }
        self.last_mails.insert(about.to_owned(), LastMail { kind: kind.to_owned(), at: now });
        MailDecision::Send
    }

    /// The program is healthy or was restarted: the next problem is a new one.
    pub fn on_healthy(&mut self, about: &str) {
        self.last_mails.remove(about);
    }

    /// Drops the programs that no longer exist.
    pub fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.last_mails.retain(|about, _| is_there(about));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_trouble_that_lasts_is_told_at_once_and_then_once_an_hour() {
        let mut reminder = Reminder::new(INTERVAL);
        let mails = |kind: &str, minutes: std::ops::Range<u32>, reminder: &mut Reminder| {
            minutes
                .filter(|minute| reminder.on_problem("web", kind, MINUTE * *minute) == MailDecision::Send)
                .collect::<Vec<_>>()
        };
        assert_eq!(mails("over", 0..150, &mut reminder), [0, 60, 120]);
        assert_eq!(mails("cannot stop", 150..160, &mut reminder), [150], "a change is told at once");
        reminder.on_healthy("web");
        assert_eq!(mails("cannot stop", 160..170, &mut reminder), [160], "and a new trouble");
        assert_eq!(
            reminder.on_problem("db", "cannot stop", MINUTE * 170),
            MailDecision::Send,
            "another program"
        );
        assert_eq!(
            reminder.on_problem("web", "cannot stop", MINUTE * 170),
            MailDecision::Suppress(MINUTE * 10)
        );
        reminder.retain(|about| about == "db");
        assert_eq!(reminder.last_mails.len(), 1);
    }

    #[test]
    fn without_an_interval_every_tick_is_told() {
        let mut reminder = Reminder::new(Duration::ZERO);
        assert!((0..5).all(|_| reminder.on_problem("web", "over", MINUTE) == MailDecision::Send));
    }

    proptest! {
        #[test]
        fn two_mails_of_one_kind_are_an_interval_apart_unless_something_came_between(
            inputs in proptest::collection::vec((0_u8..3, 0_u64..40), 1..60),
        ) {
            let mut reminder = Reminder::new(MINUTE);
            let mut now = Duration::ZERO;
            let mut last: Option<(u8, Duration)> = None;
            for (input, pause) in inputs {
                now += Duration::from_secs(pause);
                if input == 0 {
                    reminder.on_healthy("web");
                    last = None;
                    continue;
                }
                let goes = reminder.on_problem("web", &input.to_string(), now) == MailDecision::Send;
                let due = last.is_none_or(|(kind, at)| kind != input || now - at >= MINUTE);
                prop_assert_eq!(goes, due);
                if goes {
                    last = Some((input, now));
                }
            }
        }
    }
}
