//! Signals by name and number, as Python's signal module has them on Linux.

use std::borrow::Cow;

/// `SIGKILL`, which cannot be ignored.
pub const KILL: i32 = 9;

/// `SIGTERM`: what a process is stopped with unless `stopsignal` says otherwise.
pub const TERM: i32 = 15;

/// Names and numbers on Linux (signal(7), the column of x86 and ARM). Where a number has several names, the one that is
/// shown comes first.
const TABLE: &[(&str, i32)] = &[
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGIOT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGPOLL", 29),
    ("SIGIO", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
    ("SIGRTMIN", 34),
    ("SIGRTMAX", 64),
];

/// `SIGTERM` for 15, and `signal 99` for a number without a name (`signame` in options.py).
pub fn name(number: i32) -> Cow<'static, str> {
    match TABLE.iter().find(|row| row.1 == number) {
        Some(row) => Cow::Borrowed(row.0),
        None => Cow::Owned(format!("signal {number}")),
    }
}

/// The number of `SIGUSR1`, `usr1` or `10`; `None` when there is no such signal (`signal_number` in datatypes.py).
///
/// As in the original 0 is a signal too: the one that only asks whether the process is there.
pub fn number(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(number) = text.parse::<i32>() {
        return (number == 0 || TABLE.iter().any(|row| row.1 == number)).then_some(number);
    }
    let upper = text.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    TABLE.iter().find(|row| row.0.strip_prefix("SIG") == Some(bare)).map(|row| row.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_with_or_without_sig_and_by_number() {
        for text in ["SIGTERM", "term", "15", " sigTerm ", "+15"] {
            assert_eq!(number(text), Some(15), "{text}");
        }
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("cld"), Some(17));
        assert_eq!(number("rtmin"), Some(34));
        for text in ["", "SIG", "-9", "32", "99", "SIGNOPE", "9x", "SIGSIGTERM"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn every_name_leads_to_its_number_and_a_number_to_its_first_name() {
        for (shown, raw) in TABLE {
            assert_eq!(number(shown), Some(*raw));
        }
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(6), "SIGABRT");
        assert_eq!(name(17), "SIGCHLD");
        assert_eq!(name(29), "SIGPOLL");
        assert_eq!(name(40), "signal 40");
    }
}
