//! The file `last-error`: the reason of the last failed attempt, for supervisord and people who look at the folder.
//!
//! One line, `UNIXTIME REASON`, of at most 500 bytes, without secrets. It exists while
//! something waits and the last attempt has failed.

use std::fmt::Write;
use std::fs;

use ironlance_core::redact::redact;

use super::folder::{self, OutboxError, at};
use super::{Outbox, OutboxFolder};

/// The longest line, in bytes, its end included.
const LONGEST: usize = 500;
/// The file's name.
const NAME: &str = "last-error";

/// The line for a reason.
fn line(at: i64, reason: &str) -> String {
    let mut line = format!("{at} ");
    for c in reason.trim().chars() {
        let before = line.len();
        if c.is_control() {
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
        if line.len() >= LONGEST {
            line.truncate(before);
            break;
        }
    }
    line.push('\n');
    line
}

impl Outbox {
    /// Records why the last attempt has failed; `at` in seconds since 1970. Not synced: a power cut may lose it.
    pub fn set_last_error(&self, at_time: i64, reason: &str) -> Result<(), OutboxError> {
        let tmp = self.dir().join("tmp").join(format!("{NAME}-{:08x}", fastrand::u32(..)));
        folder::write_unsynced(&tmp, line(at_time, &redact(reason)).as_bytes())?;
        fs::rename(&tmp, self.dir().join(NAME)).map_err(at("rename", &tmp))
    }

    /// When the last attempt failed and why, if anything waits since.
    pub fn last_error(&self) -> Option<(i64, String)> {
        let content = folder::read_own(&self.dir().join(NAME)).ok()?;
        let text = String::from_utf8(content).ok()?;
        let (at, reason) = text.trim_end_matches('\n').split_once(' ')?;
        Some((at.parse().ok()?, reason.to_owned()))
    }

    /// Removes the last error once nothing waits any more.
    pub fn forget_last_error(&self) {
        if self.ids(OutboxFolder::New).is_ok_and(|ids| ids.is_empty()) {
            // The next failure writes it again.
            let _ = folder::remove(&self.dir().join(NAME));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(line(7, "451 later\r\nOK\n"), "7 451 later\\r\\nOK\n");
        let long = line(1_700_000_000, &"ü".repeat(400));
        assert!(long.len() <= LONGEST && long.ends_with("ü\n"), "{}", long.len());
    }

    #[test]
    fn the_last_error_is_there_until_nothing_waits() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        fs::write(outbox.new_dir().join("1"), "x").unwrap();
        outbox.set_last_error(7, "cannot reach mail").unwrap();
        outbox.forget_last_error();
        assert_eq!(outbox.last_error(), Some((7, "cannot reach mail".to_owned())));
        fs::remove_file(outbox.new_dir().join("1")).unwrap();
        outbox.forget_last_error();
        assert_eq!(outbox.last_error(), None);
    }
}
