//! [`Scorecard`]: counts the mails that arrive and compares them with the expected ones, for the demo's summary.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::config::LISTENERS;
use super::mail::ParsedMail;

/// The program that crashes.
pub(super) const FLAKY: &str = "flaky";
/// The program that should cause no mail.
const STEADY: &str = "steady";

/// The mails that have arrived so far.
#[derive(Debug, Default)]
pub(super) struct Scorecard {
    mails: [usize; LISTENERS.len()],
    from_unknown: usize,
    about_steady: usize,
    duplicates: usize,
    ids: HashSet<String>,
    /// How often the mail server answered 421.
    pub(super) rejected: usize,
}

/// How a count compares with the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScoreMark {
    Ok,
    /// A mail has not arrived and still could.
    Missing,
    /// A mail arrived that should not have.
    Unexpected,
}

/// A line of the summary.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScoreLine {
    /// What the line is about.
    pub(super) name: &'static str,
    /// How many there were.
    pub(super) count: usize,
    /// What was expected.
    pub(super) remark: String,
    /// Whether it is as expected.
    pub(super) mark: ScoreMark,
}

impl Scorecard {
    /// Counts a mail; gives how many there were of its listener, this one included.
    pub(super) fn add(&mut self, mail: &ParsedMail) -> usize {
        if !self.ids.insert(mail.message_id.clone()) {
            self.duplicates += 1;
        }
        if mail.text.contains(STEADY) {
            self.about_steady += 1;
        }
        let count = match LISTENERS.iter().position(|name| *name == mail.listener) {
            Some(index) => &mut self.mails[index],
            None => &mut self.from_unknown,
        };
        *count += 1;
        *count
    }

    /// The summary, when the flaky program has crashed this often.
    pub(super) fn lines(&self, crashes: usize) -> Vec<ScoreLine> {
        let mut lines: Vec<ScoreLine> = LISTENERS
            .iter()
            .zip(self.mails)
            .map(|(name, count)| listener_line(name, count, crashes))
            .collect();
        lines.push(ScoreLine {
            name: STEADY,
            count: self.about_steady,
            remark: "mails about the program that behaves: none expected".into(),
            mark: expect_none(self.about_steady),
        });
        lines.push(ScoreLine {
            name: "twice",
            count: self.duplicates,
            remark: "mails that came a second time: none expected".into(),
            mark: expect_none(self.duplicates),
        });
        lines
    }

    /// Whether each listener has sent a mail.
    pub(super) fn has_all_listeners(&self) -> bool {
        self.mails.iter().all(|count| *count > 0)
    }

    /// Whether every expected mail has arrived.
    pub(super) fn is_complete(&self, crashes: usize) -> bool {
        self.lines(crashes).iter().all(|line| line.mark == ScoreMark::Ok)
    }
}

fn expect_none(count: usize) -> ScoreMark {
    if count == 0 { ScoreMark::Ok } else { ScoreMark::Unexpected }
}

fn listener_line(name: &'static str, count: usize, crashes: usize) -> ScoreLine {
    if name == "crashmail" {
        let times = if crashes == 1 { "once".to_owned() } else { format!("{crashes} times") };
        let remark = format!("by supervisord's own log {FLAKY} crashed {times}");
        let mark = match count.cmp(&crashes) {
            Ordering::Equal if crashes > 0 => ScoreMark::Ok,
            Ordering::Equal | Ordering::Less => ScoreMark::Missing,
            Ordering::Greater => ScoreMark::Unexpected,
        };
        return ScoreLine { name, count, remark, mark };
    }
    let mark = if count > 0 { ScoreMark::Ok } else { ScoreMark::Missing };
    ScoreLine { name, count, remark: "at least one expected".into(), mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(listener: &str, id: &str, text: &str) -> ParsedMail {
        let (listener, message_id, text) = (listener.to_owned(), id.to_owned(), text.to_owned());
        ParsedMail { listener, message_id, text, ..ParsedMail::default() }
    }

    fn full() -> Scorecard {
        let mut card = Scorecard::default();
        for name in LISTENERS {
            assert_eq!(card.add(&mail(name, name, "")), 1);
        }
        card
    }

    #[test]
    fn it_is_whole_when_each_listener_told_and_every_crash_has_its_mail() {
        let mut card = full();
        assert!(card.is_complete(1));
        assert!(!card.is_complete(2) && !card.is_complete(0));
        assert_eq!(card.add(&mail("crashmail", "other", "")), 2);
        assert!(card.is_complete(2));
        assert!(!Scorecard::default().is_complete(0));
    }

    #[test]
    fn what_has_not_come_is_told_from_what_should_not_have_come() {
        let marks =
            |card: &Scorecard, crashes| card.lines(crashes).iter().map(|line| line.mark).collect::<Vec<_>>();
        let nothing = marks(&Scorecard::default(), 2);
        assert!(nothing[..LISTENERS.len()].iter().all(|mark| *mark == ScoreMark::Missing));
        assert!(nothing[LISTENERS.len()..].iter().all(|mark| *mark == ScoreMark::Ok));
        assert!(
            marks(&full(), 2).contains(&ScoreMark::Missing)
                && !marks(&full(), 2).contains(&ScoreMark::Unexpected)
        );
        assert!(marks(&full(), 0).contains(&ScoreMark::Unexpected));
    }

    #[test]
    fn a_mail_that_comes_twice_or_without_a_reason_spoils_it() {
        let mut card = full();
        card.add(&mail("memmon", "memmon", ""));
        assert!(!card.is_complete(1));
        let mut card = full();
        card.add(&mail("memmon", "other", "Process steady died"));
        assert!(!card.is_complete(1));
    }
}
