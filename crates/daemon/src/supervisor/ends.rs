//! Why a process last ended: everything that is known only at that moment.

use std::path::Path;
use std::time::Duration;

use ironlance_core::exit::ExitStatus;

use crate::log::{file, tail};

/// What ended a process.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) status: ExitStatus,
    /// Somebody had told it to stop.
    pub(super) told: bool,
    /// The kernel killed it for want of memory.
    pub(super) out_of_memory: bool,
    /// Between fork and exec: which step failed, and why.
    pub(super) not_started: Option<String>,
}

impl Cause {
    /// The status or signal; or the step that failed before there was a program that could have one.
    pub(super) fn words(&self) -> String {
        self.not_started.clone().unwrap_or_else(|| self.status.words())
    }

    /// The same, and what the kernel did.
    pub(super) fn why(&self) -> String {
        let kernel = if self.out_of_memory { ", killed by the kernel: out of memory" } else { "" };
        format!("{}{kernel}", self.words())
    }
}

/// How a process ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) cause: Cause,
    pub(super) pid: u32,
    /// How long it had been there.
    pub(super) up: Duration,
    /// When it ended, since 1970.
    pub(super) at: Duration,
    /// Its status was one of its `exitcodes`, or it was told to stop.
    pub(super) expected: bool,
    /// The last lines of its standard output and standard error.
    pub(super) stdout_tail: String,
    pub(super) stderr_tail: String,
}

/// So much of a log is looked at for the last lines (bytes).
const TAIL: u64 = 2048;
/// So many lines are kept.
const LINES: usize = 20;

/// The last lines of a log, as far as it can be read, when the child has written `logged` bytes of it: what its
/// forerunners wrote is not looked at. What a rotation has just moved away is found there.
pub(super) fn tail_of_file(path: &Path, logged: u64) -> String {
    let wanted = usize::try_from(logged.min(TAIL)).unwrap_or_default();
    let mut bytes = end_of(path, wanted);
    if bytes.len() < wanted {
        let before = end_of(&file::backup(path, 1), wanted - bytes.len());
        bytes.splice(0..0, before);
    }
    last_lines(&bytes)
}

/// The last bytes of a file; none where it cannot be read.
fn end_of(path: &Path, length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    let offset = i64::try_from(length).map_or(i64::MIN, |length| -length);
    tail::read_file(path, offset, 0).ok().and_then(|end| end.all().ok()).unwrap_or_default()
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
    use std::fs;

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
    fn a_cause_is_put_into_words() {
        let status = ExitStatus::Signal { number: 9, core: false };
        let killed = Cause { status, told: false, out_of_memory: true, not_started: None };
        assert_eq!(killed.words(), "terminated by SIGKILL");
        assert_eq!(killed.why(), "terminated by SIGKILL, killed by the kernel: out of memory");
        let step = Some("couldn't exec /x: ENOENT".to_owned());
        let never =
            Cause { status: ExitStatus::Code(127), out_of_memory: false, not_started: step, ..killed };
        assert_eq!(never.why(), "couldn't exec /x: ENOENT");
    }

    #[test]
    fn a_file_that_is_not_there_has_no_lines() {
        assert_eq!(tail_of_file(Path::new("/nonexistent/log"), 10), "");
    }

    #[test]
    fn only_the_lines_of_the_last_run_are_told_also_if_they_were_just_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "a run before\nthis run\n").unwrap();
        assert_eq!(tail_of_file(&log, 9), "this run");
        assert_eq!(tail_of_file(&log, 0), "");
        fs::rename(&log, folder.path().join("log.1")).unwrap();
        fs::write(&log, "and on\n").unwrap();
        assert_eq!(tail_of_file(&log, 16), "this run\nand on");
    }
}
