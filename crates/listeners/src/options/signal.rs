//! Signals by name or number, as people write them.

use std::fmt;

use rustix::process::Signal as Kernel;

/// The signals with a name, by the numbers of this machine.
const NAMES: &[(&str, Kernel)] = &[
    ("HUP", Kernel::HUP),
    ("INT", Kernel::INT),
    ("QUIT", Kernel::QUIT),
    ("ILL", Kernel::ILL),
    ("TRAP", Kernel::TRAP),
    ("ABRT", Kernel::ABORT),
    ("BUS", Kernel::BUS),
    ("FPE", Kernel::FPE),
    ("KILL", Kernel::KILL),
    ("USR1", Kernel::USR1),
    ("SEGV", Kernel::SEGV),
    ("USR2", Kernel::USR2),
    ("PIPE", Kernel::PIPE),
    ("ALRM", Kernel::ALARM),
    ("TERM", Kernel::TERM),
    ("CHLD", Kernel::CHILD),
    ("CONT", Kernel::CONT),
    ("STOP", Kernel::STOP),
    ("TSTP", Kernel::TSTP),
    ("TTIN", Kernel::TTIN),
    ("TTOU", Kernel::TTOU),
    ("URG", Kernel::URG),
    ("XCPU", Kernel::XCPU),
    ("XFSZ", Kernel::XFSZ),
    ("VTALRM", Kernel::VTALARM),
    ("PROF", Kernel::PROF),
    ("WINCH", Kernel::WINCH),
    ("IO", Kernel::IO),
    ("PWR", Kernel::POWER),
    ("SYS", Kernel::SYS),
];

/// A signal that has a name here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    number: i32,
    name: &'static str,
}

impl Signal {
    /// Reads `SIGUSR1`, `usr1` or `10`; `None` when there is no such signal.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        let number = name.parse::<i32>().ok();
        let hit = NAMES.iter().find(|(known, signal)| *known == name || Some(signal.as_raw()) == number)?;
        Some(Self { number: hit.1.as_raw(), name: hit.0 })
    }

    /// Its number on this machine; `supervisor.signalProcess` takes it as a text.
    pub fn number(self) -> i32 {
        self.number
    }
}

impl fmt::Display for Signal {
    /// `SIGUSR1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_with_or_without_sig_and_by_number() {
        for text in ["SIGTERM", "term", "15", " sigTerm "] {
            let signal = Signal::parse(text).unwrap();
            assert_eq!((signal.number(), signal.to_string().as_str()), (15, "SIGTERM"), "{text}");
        }
        for text in ["", "SIG", "0", "-9", "99", "SIGNOPE", "9x", "SIGSIGTERM"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }
}
