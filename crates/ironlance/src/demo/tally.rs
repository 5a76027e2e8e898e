//! Which mails were expected, and which came: the demo's verdict on ironlance.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::config::LISTENERS;
use super::letter::Letter;

/// The program that crashes.
pub(super) const FLAKY: &str = "flaky";
/// The program that gives no reason for a mail.
const STEADY: &str = "steady";

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    mails: [usize; LISTENERS.len()],
    strangers: usize,
    about_steady: usize,
    twice: usize,
    ids: HashSet<String>,
    /// How often the mail server said 421.
    pub(super) turned_away: usize,
}

/// How what came compares with what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Well,
    /// It has not come, and could still.
    Missing,
    /// It should not have come.
    Wrong,
}

/// A line of the summary.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What the line is about.
    pub(super) name: &'static str,
    /// How many there were.
    pub(super) count: usize,
    /// What was expected.
    pub(super) remark: String,
    /// Whether it is as expected.
    pub(super) mark: Mark,
}

impl Tally {
    /// Counts a mail; gives how many there were of its listener, this one included.
    pub(super) fn add(&mut self, letter: &Letter) -> usize {
        if !self.ids.insert(letter.message_id.clone()) {
            self.twice += 1;
        }
        if letter.text.contains(STEADY) {
            self.about_steady += 1;
        }
        let count = match LISTENERS.iter().position(|name| *name == letter.listener) {
            Some(index) => &mut self.mails[index],
            None => &mut self.strangers,
        };
        *count += 1;
        *count
    }

    /// What was expected and what came, when the flaky program has crashed so often.
    pub(super) fn lines(&self, crashes: usize) -> Vec<Line> {
        let mut lines: Vec<Line> =
            LISTENERS.iter().zip(self.mails).map(|(name, count)| row(name, count, crashes)).collect();
        lines.push(Line {
            name: STEADY,
            count: self.about_steady,
            remark: "mails about the program that behaves: none expected".into(),
            mark: none(self.about_steady),
        });
        lines.push(Line {
            name: "twice",
            count: self.twice,
            remark: "mails that came a second time: none expected".into(),
            mark: none(self.twice),
        });
        lines
    }

    /// Whether each listener has told something.
    pub(super) fn has_all_listeners(&self) -> bool {
        self.mails.iter().all(|count| *count > 0)
    }

    /// Whether everything expected has come.
    pub(super) fn is_whole(&self, crashes: usize) -> bool {
        self.lines(crashes).iter().all(|line| line.mark == Mark::Well)
    }
}

fn none(count: usize) -> Mark {
    if count == 0 { Mark::Well } else { Mark::Wrong }
}

fn row(name: &'static str, count: usize, crashes: usize) -> Line {
    if name == "crashmail" {
        let times = if crashes == 1 { "once".to_owned() } else { format!("{crashes} times") };
        let remark = format!("by supervisord's own log {FLAKY} crashed {times}");
        let mark = match count.cmp(&crashes) {
            Ordering::Equal if crashes > 0 => Mark::Well,
            Ordering::Equal | Ordering::Less => Mark::Missing,
            Ordering::Greater => Mark::Wrong,
        };
        return Line { name, count, remark, mark };
    }
    let mark = if count > 0 { Mark::Well } else { Mark::Missing };
    Line { name, count, remark: "at least one expected".into(), mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(listener: &str, id: &str, text: &str) -> Letter {
        let (listener, message_id, text) = (listener.to_owned(), id.to_owned(), text.to_owned());
        Letter { listener, message_id, text, ..Letter::default() }
    }

    fn full() -> Tally {
        let mut tally = Tally::default();
        for name in LISTENERS {
            assert_eq!(tally.add(&mail(name, name, "")), 1);
        }
        tally
    }

    #[test]
    fn it_is_whole_when_each_listener_told_and_every_crash_has_its_mail() {
        let mut tally = full();
        assert!(tally.is_whole(1));
        assert!(!tally.is_whole(2) && !tally.is_whole(0));
        assert_eq!(tally.add(&mail("crashmail", "other", "")), 2);
        assert!(tally.is_whole(2));
        assert!(!Tally::default().is_whole(0));
    }

    #[test]
    fn what_has_not_come_is_told_from_what_should_not_have_come() {
        let marks =
            |tally: &Tally, crashes| tally.lines(crashes).iter().map(|line| line.mark).collect::<Vec<_>>();
        let nothing = marks(&Tally::default(), 2);
        assert!(nothing[..LISTENERS.len()].iter().all(|mark| *mark == Mark::Missing));
        assert!(nothing[LISTENERS.len()..].iter().all(|mark| *mark == Mark::Well));
        assert!(marks(&full(), 2).contains(&Mark::Missing) && !marks(&full(), 2).contains(&Mark::Wrong));
        assert!(marks(&full(), 0).contains(&Mark::Wrong));
    }

    #[test]
    fn a_mail_that_comes_twice_or_without_a_reason_spoils_it() {
        let mut tally = full();
        tally.add(&mail("memmon", "memmon", ""));
        assert!(!tally.is_whole(1));
        let mut tally = full();
        tally.add(&mail("memmon", "other", "Process steady died"));
        assert!(!tally.is_whole(1));
    }
}
