//! What is worth a mail: the words of `--on`.

use ironlance_core::ProcessState;

use super::refusal::{Refusal, Row};
use ironlance_core::args::{Given, Takes, table::ours};

/// What can happen to a process, by the state that it enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It ended after it had been up, with a status that is not among its `exitcodes`, or by a signal.
    Exited,
    /// It ended after it had been up, with a status that is among its `exitcodes`.
    Expected,
    /// Supervisord gave up starting it.
    Fatal,
    /// It ended before `startsecs`.
    Backoff,
    /// It was stopped.
    Stopped,
    /// It is being stopped.
    Stopping,
    /// It is being started.
    Starting,
    /// It is up.
    Running,
    /// Supervisord itself made an error.
    Unknown,
}

/// The words of `--on`.
const WORDS: &[(&str, Happening)] = &[
    ("exited", Happening::Exited),
    ("expected", Happening::Expected),
    ("fatal", Happening::Fatal),
    ("backoff", Happening::Backoff),
    ("stopped", Happening::Stopped),
    ("stopping", Happening::Stopping),
    ("starting", Happening::Starting),
    ("running", Happening::Running),
    ("unknown", Happening::Unknown),
];

impl Happening {
    /// What it means that a process enters `state`; `expected` is of weight for `Exited` only.
    pub fn of(state: ProcessState, expected: bool) -> Self {
        match state {
            ProcessState::Exited if expected => Self::Expected,
            ProcessState::Exited => Self::Exited,
            ProcessState::Fatal => Self::Fatal,
            ProcessState::Backoff => Self::Backoff,
            ProcessState::Stopped => Self::Stopped,
            ProcessState::Stopping => Self::Stopping,
            ProcessState::Starting => Self::Starting,
            ProcessState::Running => Self::Running,
            ProcessState::Unknown => Self::Unknown,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of happenings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happenings(u16);

impl Happenings {
    /// The set of one.
    pub const fn only(happening: Happening) -> Self {
        Self(happening.bit())
    }

    /// Whether the set has it.
    pub const fn contains(self, happening: Happening) -> bool {
        self.0 & happening.bit() != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn and(self, happening: Happening) -> Self {
        Self(self.0 | happening.bit())
    }

    /// Its words, in the order of `--help`.
    pub fn words(self) -> Vec<&'static str> {
        WORDS.iter().filter(|(_, happening)| self.contains(*happening)).map(|(word, _)| *word).collect()
    }

    /// Adds the words of a comma separated list; gives back the word that is none.
    fn add(&mut self, list: &str) -> Result<(), String> {
        for word in list.split(',').map(str::trim) {
            let known = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            let (_, happening) = known.ok_or_else(|| word.to_owned())?;
            self.0 |= happening.bit();
        }
        Ok(())
    }

    /// This set, or `default` when it is empty.
    pub(super) fn or(self, default: Happening) -> Self {
        if self == Self::default() { Self::only(default) } else { self }
    }
}

/// `--on LIST`.
pub(super) fn on_row<T: AsMut<Happenings>>(help: &'static str) -> Row<T> {
    ours("on", Takes::Value("LIST"), help, |target, given: &Given| {
        target.as_mut().add(given.value()).map_err(|word| {
            let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
            Refusal::value(given, &format!("{word:?} is none of {}", words.join(", ")))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_words_is_the_set_of_what_they_name() {
        let mut set = Happenings::default();
        set.add("exited, FATAL").unwrap();
        for (word, happening) in WORDS {
            assert_eq!(set.contains(*happening), ["exited", "fatal"].contains(word), "{word}");
        }
        for bad in ["", "exited,", "crashed"] {
            assert!(Happenings::default().add(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_state_has_a_word_and_exits_have_two() {
        let names: Vec<Happening> =
            ProcessState::ALL.iter().map(|state| Happening::of(*state, false)).collect();
        assert!(WORDS.iter().all(|(_, word)| names.contains(word) || *word == Happening::Expected));
        assert_eq!(Happening::of(ProcessState::Exited, true), Happening::Expected);
        assert_eq!(Happening::of(ProcessState::Fatal, true), Happening::Fatal);
    }

    #[test]
    fn an_empty_set_takes_the_default() {
        assert_eq!(Happenings::default().or(Happening::Fatal), Happenings::only(Happening::Fatal));
        let backoff = Happenings::only(Happening::Backoff);
        assert_eq!(backoff.or(Happening::Fatal), backoff);
    }
}
