//! [`ProcessSignal`]: the signal that memmon sends instead of restarting, read from a command line.

use std::fmt;

use ironlance_core::signal;

/// A signal that this platform has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessSignal {
    number: i32,
}

impl ProcessSignal {
    /// Reads `SIGUSR1`, `usr1` or `10`; `None` when there is no such signal, and for 0, which does nothing.
    pub fn parse(text: &str) -> Option<Self> {
        signal::number(text).filter(|number| *number != 0).map(|number| Self { number })
    }

    /// Its number on this machine; `supervisor.signalProcess` takes it as a text.
    pub fn number(self) -> i32 {
        self.number
    }
}

impl fmt::Display for ProcessSignal {
    /// `SIGUSR1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&signal::name(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_with_or_without_sig_and_by_number() {
        for text in ["SIGTERM", "term", "15", " sigTerm "] {
            let signal = ProcessSignal::parse(text).unwrap();
            assert_eq!((signal.number(), signal.to_string().as_str()), (15, "SIGTERM"), "{text}");
        }
        for text in ["", "SIG", "0", "-9", "99", "SIGNOPE", "9x", "SIGSIGTERM"] {
            assert_eq!(ProcessSignal::parse(text), None, "{text}");
        }
    }
}
