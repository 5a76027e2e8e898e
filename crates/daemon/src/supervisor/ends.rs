//! Why a process last ended: everything that is known only at that moment.

use std::path::Path;
use std::time::Duration;

use ironlance_core::exit::ExitStatus;

use crate::log::tail;

/// How a process ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) status: ExitStatus,
    pub(super) pid: u32,
    /// How long it had been there.
    pub(super) up: Duration,
    /// When it ended, since 1970.
    pub(super) at: Duration,
    /// Its status was one of its `exitcodes`, or it was told to stop.
    pub(super) expected: bool,
    /// Somebody had told it to stop.
    pub(super) told: bool,
    /// The kernel killed it for want of memory.
    pub(super) out_of_memory: bool,
    /// Between fork and exec: which step failed, and why.
    pub(super) not_started: Option<String>,
    /// The last lines of its standard output and standard error.
    pub(super) stdout_tail: String,
    pub(super) stderr_tail: String,
}

/// So much of a log is looked at for the last lines (bytes).
const TAIL: i64 = 2048;
/// So many lines are kept.
const LINES: usize = 20;

/// The last lines of a file, as far as it can be read.
pub(super) fn tail_of_file(path: &Path) -> String {
    tail::read_file(path, -TAIL, 0).map(|bytes| last_lines(&bytes)).unwrap_or_default()
}

/// The last lines of `bytes`, of which the first may be cut off.
pub(super) fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\n').trim_start_matches('\u{fffd}');
    let begin = text.rmatch_indices('\n').nth(LINES - 1).map_or(0, |(at, _)| at + 1);
    text[begin..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_twenty_lines_are_kept() {
        let text: String = (0..50).map(|n| format!("line {n}\n")).collect();
        let kept = last_lines(text.as_bytes());
        assert!(kept.starts_with("line 30\n") && kept.ends_with("line 49"), "{kept}");
        assert_eq!(last_lines(b"one\n"), "one");
        assert_eq!(last_lines(b""), "");
    }

    #[test]
    fn a_character_that_was_cut_in_two_does_no_harm() {
        assert_eq!(last_lines(&"é!\n".as_bytes()[1..]), "!");
    }

    #[test]
    fn a_file_that_is_not_there_has_no_lines() {
        assert_eq!(tail_of_file(Path::new("/nonexistent/log")), "");
    }
}
