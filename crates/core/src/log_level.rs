//! The seven levels of supervisord's log.

use std::fmt;

/// The severity of a log line; the greatest is [`Level::Critical`] (levels of loggers.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What the daemon does inside.
    Blather,
    /// For people who develop plugins.
    Trace,
    /// For people who look for a mistake in their configuration.
    Debug,
    /// Normal operation.
    Info,
    /// Unusual, but no error.
    Warn,
    /// An error that may be ignored.
    Error,
    /// Needs attention at once.
    Critical,
}

/// Number, letters and word of each level, in the order of [`Level::ALL`].
const TABLE: [(u8, &str, &str); 7] = [
    (3, "BLAT", "blather"),
    (5, "TRAC", "trace"),
    (10, "DEBG", "debug"),
    (20, "INFO", "info"),
    (30, "WARN", "warn"),
    (40, "ERRO", "error"),
    (50, "CRIT", "critical"),
];

impl Level {
    /// Every level, the least grave first.
    pub const ALL: [Self; 7] =
        [Self::Blather, Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    /// The number that the original compares.
    pub const fn number(self) -> u8 {
        TABLE[self as usize].0
    }

    /// The four letters in a log line.
    pub const fn tag(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The word that `loglevel=` takes.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// The level of that word, in any case; `None` when there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Level {
    /// The word that `loglevel=` takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_as_their_numbers_and_found_by_name() {
        for pair in Level::ALL.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].number() < pair[1].number());
        }
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert_eq!(Level::from_name("WARN"), Some(Level::Warn));
        assert_eq!(Level::from_name("warning"), None);
        assert_eq!(Level::Critical.tag(), "CRIT");
    }
}
