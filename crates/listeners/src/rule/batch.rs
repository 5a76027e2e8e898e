//! Batch mailers: which there are, and when a batch is due ([`BatchTimer`]).

use super::trigger::Trigger;

/// Characters of a sent batch that are shown in the log.
const LOGGED_CHARACTERS: usize = 76;

/// Which batch mailer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMailer {
    /// Unexpected exits.
    Crashmailbatch,
    /// Programs that could not be started.
    Fatalmailbatch,
    /// Unexpected exits, as short messages.
    Crashsms,
}

impl BatchMailer {
    /// The name of the command.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashmailbatch => "crashmailbatch",
            Self::Fatalmailbatch => "fatalmailbatch",
            Self::Crashsms => "crashsms",
        }
    }

    /// The subject unless one is given.
    pub const fn default_subject(self) -> Option<&'static str> {
        match self {
            Self::Crashmailbatch => Some("Crash alert from supervisord"),
            Self::Fatalmailbatch => Some("Fatal start alert from supervisord"),
            Self::Crashsms => None,
        }
    }

    /// What it reports unless `--on` is given.
    pub const fn default_trigger(self) -> Trigger {
        match self {
            Self::Crashmailbatch | Self::Crashsms => Trigger::Exited,
            Self::Fatalmailbatch => Trigger::Fatal,
        }
    }
}

/// The number of ticks, `tick_seconds` apart, after which a batch that is collected for `minutes` is sent: at least 1, and
/// exact where a sum of fractions of minutes is not. `None`: never.
pub fn ticks(minutes: f64, tick_seconds: u64) -> Option<u64> {
    if minutes <= 0.0 {
        return Some(1);
    }
    // Rounded: as a binary fraction 0.1 minutes are not exactly six seconds.
    let milliseconds = (minutes * 60_000.0).round();
    if !milliseconds.is_finite() || milliseconds >= 1e18 || tick_seconds == 0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
    let milliseconds = milliseconds as u64;
    Some(milliseconds.div_ceil(tick_seconds.saturating_mul(1000)).max(1))
}

/// Counts ticks until a batch is due. Its clock is supervisord's ticks, not ours, as in superlance.
#[derive(Clone, Copy, Debug)]
pub struct BatchTimer {
    /// `None`: never.
    interval: Option<u64>,
    /// Ticks since the last batch was due.
    elapsed: u64,
}

impl BatchTimer {
    /// A batch every so many minutes, counted by ticks that are `tick_seconds` apart.
    pub fn new(minutes: f64, tick_seconds: u64) -> Self {
        Self { interval: ticks(minutes, tick_seconds), elapsed: 0 }
    }

    /// A tick has come; whether the batch is due.
    pub fn on_tick(&mut self) -> bool {
        self.elapsed += 1;
        let is_due = self.interval.is_some_and(|interval| self.elapsed >= interval);
        if is_due {
            self.elapsed = 0;
        }
        is_due
    }
}

/// What the log shows of a batch that was sent, as the original writes it.
pub fn sent_log(to: &[String], from: Option<&str>, subject: Option<&str>, body: &str) -> String {
    let body = match body.char_indices().nth(LOGGED_CHARACTERS) {
        Some((end, _)) => format!("{}...", &body[..end]),
        None => body.to_owned(),
    };
    format!(
        "Sending notification email:\nTo: {}\nFrom: {}\nSubject: {}\nBody:\n{body}\n",
        to.join(", "),
        from.unwrap_or_default(),
        subject.unwrap_or("None"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_batch_is_due_after_its_interval_and_then_again() {
        let mut timer = BatchTimer::new(0.25, 5);
        let due: Vec<bool> = (0..7).map(|_| timer.on_tick()).collect();
        assert_eq!(due, [false, false, true, false, false, true, false]);
        let mut never = BatchTimer::new(f64::INFINITY, 5);
        assert!((0..100).all(|_| !never.on_tick()));
    }

    #[test]
    fn the_log_of_a_sent_batch_is_superlances_and_cut() {
        let body = "é".repeat(LOGGED_CHARACTERS + 1);
        let log = sent_log(&["a@x".into(), "b@y".into()], None, None, &body);
        let head = "Sending notification email:\nTo: a@x, b@y\nFrom: \nSubject: None\nBody:\n";
        assert_eq!(log, format!("{head}{}...\n", "é".repeat(LOGGED_CHARACTERS)));
        assert!(
            sent_log(&[], Some("me"), Some("s"), "short").ends_with("From: me\nSubject: s\nBody:\nshort\n")
        );
    }

    proptest! {
        #[test]
        fn batches_are_as_far_apart_as_their_interval(minutes in 0.01_f64..20.0, seconds in 1_u64..120) {
            let interval = ticks(minutes, seconds).unwrap();
            let mut timer = BatchTimer::new(minutes, seconds);
            let due: Vec<u64> = (1..=interval * 3).filter(|_| timer.on_tick()).collect();
            prop_assert_eq!(due, [interval, interval * 2, interval * 3]);
        }
    }
}
