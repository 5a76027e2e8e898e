//! How a process ended, as waitpid reports it.

use std::fmt;

use crate::signal;

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this status.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// Which.
        number: i32,
        /// Whether it left a core file.
        core: bool,
    },
    /// Something that waitpid should not say; the raw number.
    Other(i32),
}

impl ExitStatus {
    /// Reads the status word of waitpid (the layout of Linux, waitpid(2)).
    pub const fn from_wait(raw: i32) -> Self {
        match raw & 0x7f {
            0 => Self::Code((raw >> 8) & 0xff),
            0x7f => Self::Other(raw),
            number => Self::Signal { number, core: raw & 0x80 != 0 },
        }
    }

    /// The exit status; -1 where there is none.
    pub const fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal { .. } | Self::Other(_) => -1,
        }
    }
}

impl fmt::Display for ExitStatus {
    /// What a log line says, such as `terminated by SIGKILL (core dumped)` (`decode_wait_status` in options.py).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal { number, core } => {
                let core = if *core { " (core dumped)" } else { "" };
                write!(f, "terminated by {}{core}", signal::name(*number))
            }
            Self::Other(raw) => write!(f, "unknown termination cause 0x{raw:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_word_is_read_as_linux_writes_it() {
        assert_eq!(ExitStatus::from_wait(0x0300), ExitStatus::Code(3));
        assert_eq!(ExitStatus::from_wait(9), ExitStatus::Signal { number: 9, core: false });
        assert_eq!(ExitStatus::from_wait(0x8b), ExitStatus::Signal { number: 11, core: true });
        assert_eq!(ExitStatus::from_wait(0x137f), ExitStatus::Other(0x137f));
    }

    #[test]
    fn the_end_is_told_in_the_words_of_the_original() {
        assert_eq!(ExitStatus::Code(0).to_string(), "exit status 0");
        assert_eq!(ExitStatus::from_wait(11 | 0x80).to_string(), "terminated by SIGSEGV (core dumped)");
        assert_eq!(ExitStatus::from_wait(40).to_string(), "terminated by signal 40");
        assert_eq!(ExitStatus::from_wait(0x7f).to_string(), "unknown termination cause 0x007f");
        assert_eq!(ExitStatus::from_wait(9).code(), -1);
    }
}
