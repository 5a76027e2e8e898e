//! The last lines of a log, for the record of an exit.

use std::path::Path;

use crate::log::{read_back, rotating_file};

/// How much of a log is read for the last lines (bytes).
const TAIL_BYTES: u64 = 2048;
/// How many lines are kept.
const TAIL_LINES: usize = 20;

/// The last lines of a log, as far as it can be read, when the child has written `logged` bytes of it: earlier
/// output is not read. Bytes that a rotation has just moved away are read from the backup.
pub(crate) fn tail_of_file(path: &Path, logged: u64) -> String {
    let wanted = usize::try_from(logged.min(TAIL_BYTES)).unwrap_or_default();
    let mut bytes = last_bytes(path, wanted);
    if bytes.len() < wanted {
        let before = last_bytes(&rotating_file::backup_path(path, 1), wanted - bytes.len());
        bytes.splice(0..0, before);
    }
    last_lines(&bytes)
}

/// The last bytes of a file; none where it cannot be read.
fn last_bytes(path: &Path, length: usize) -> Vec<u8> {
    if length == 0 {
        return Vec::new();
    }
    let offset = i64::try_from(length).map_or(i64::MIN, |length| -length);
    read_back::read_file(path, offset, 0).ok().and_then(|end| end.all().ok()).unwrap_or_default()
}

/// The last lines of `bytes`, of which the first may be cut off.
pub(crate) fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\n').trim_start_matches('\u{fffd}');
    let begin = text.rmatch_indices('\n').nth(TAIL_LINES - 1).map_or(0, |(at, _)| at + 1);
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
