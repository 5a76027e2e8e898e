//! What is worth a mail: [`Trigger`], a state that a process enters, and [`Triggers`], the set that `--on` names.

use ironlance_core::ProcessState;

/// A change of a process that can cause a mail, by the state that it enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
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
const WORDS: &[(&str, Trigger)] = &[
    ("exited", Trigger::Exited),
    ("expected", Trigger::Expected),
    ("fatal", Trigger::Fatal),
    ("backoff", Trigger::Backoff),
    ("stopped", Trigger::Stopped),
    ("stopping", Trigger::Stopping),
    ("starting", Trigger::Starting),
    ("running", Trigger::Running),
    ("unknown", Trigger::Unknown),
];

impl Trigger {
    /// The trigger of a process that enters `state`; `expected` matters for `Exited` only.
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

/// A set of triggers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Triggers(u16);

impl Triggers {
    /// Every trigger.
    pub const ALL: Self = Self((1 << WORDS.len()) - 1);

    /// The set of one.
    pub const fn only(trigger: Trigger) -> Self {
        Self(trigger.bit())
    }

    /// Whether the set has it.
    pub const fn contains(self, trigger: Trigger) -> bool {
        self.0 & trigger.bit() != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn and(self, trigger: Trigger) -> Self {
        Self(self.0 | trigger.bit())
    }

    /// Its words, in the order of `--help`.
    pub fn words(self) -> Vec<&'static str> {
        WORDS.iter().filter(|(_, trigger)| self.contains(*trigger)).map(|(word, _)| *word).collect()
    }

    /// Adds the words of a comma separated list; fails with the first word that is none.
    pub fn add(&mut self, list: &str) -> Result<(), String> {
        for word in list.split(',').map(str::trim) {
            let known = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            let (_, trigger) = known.ok_or_else(|| word.to_owned())?;
            self.0 |= trigger.bit();
        }
        Ok(())
    }

    /// This set, or `default` when it is empty.
    #[must_use]
    pub fn or(self, default: Trigger) -> Self {
        if self == Self::default() { Self::only(default) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_words_is_the_set_of_what_they_name() {
        let mut set = Triggers::default();
        set.add("exited, FATAL").unwrap();
        for (word, trigger) in WORDS {
            assert_eq!(set.contains(*trigger), ["exited", "fatal"].contains(word), "{word}");
        }
        for bad in ["", "exited,", "crashed"] {
            assert!(Triggers::default().add(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_state_has_a_word_and_exits_have_two() {
        let names: Vec<Trigger> = ProcessState::ALL.iter().map(|state| Trigger::of(*state, false)).collect();
        assert!(WORDS.iter().all(|(_, word)| names.contains(word) || *word == Trigger::Expected));
        assert_eq!(Trigger::of(ProcessState::Exited, true), Trigger::Expected);
        assert_eq!(Trigger::of(ProcessState::Fatal, true), Trigger::Fatal);
    }

    #[test]
    fn an_empty_set_takes_the_default() {
        assert_eq!(Triggers::default().or(Trigger::Fatal), Triggers::only(Trigger::Fatal));
        let backoff = Triggers::only(Trigger::Backoff);
        assert_eq!(backoff.or(Trigger::Fatal), backoff);
    }
}
