//! Alerts that were sent and cannot be removed: marked in their own file or in a ledger, so that no deliverer sends them again.
//!
//! Where the alert's file cannot be written either (a read-only disk), its id goes to a ledger that lasts until the reboot, in
//! `$XDG_RUNTIME_DIR`, `/run` or the folder for temporary files.

use std::collections::HashSet;
use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::folder::{self, OutboxError, at};
use super::{Outbox, OutboxFolder, origin_file};

impl Outbox {
    /// The alerts that wait although a ledger says that they were sent.
    pub(super) fn sent_by(&self, folders: &[PathBuf]) -> Vec<String> {
        let mut sent = HashSet::new();
        for path in folders.iter().map(|folder| self.ledger(folder)) {
            let Ok(content) = folder::read_own(&path) else { continue };
            let text = String::from_utf8_lossy(&content).into_owned();
            let waits = |id: &str| self.path(OutboxFolder::New, id).symlink_metadata().is_ok();
            let held = text.lines().filter(|id| !id.contains('/') && waits(id));
            sent.extend(held.map(str::to_owned));
            if sent.is_empty() {
                // None of its alerts waits any more.
                let _ = folder::remove(&path);
            }
        }
        sent.into_iter().collect()
    }

    fn ledger(&self, folder: &Path) -> PathBuf {
        folder.join(format!("sent-{}", origin_file(&self.dir().to_string_lossy())))
    }

    /// Notes in the first ledger that can be written that an alert was sent.
    pub(super) fn note_in_ledger(&self, folders: &[PathBuf], id: &str) -> Result<(), OutboxError> {
        let mut outcome = Ok(());
        for folder in folders {
            let path = self.ledger(folder);
            outcome = folder::prepare(folder).and_then(|()| {
                let mut file = folder::open_own(&path, OpenOptions::new().append(true).create(true))?;
                file.write_all(format!("{id}\n").as_bytes()).map_err(at("write", &path))
            });
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

/// The folders that may hold a ledger, the best first; each has our uid in its name.
pub(super) fn ledgers() -> Vec<PathBuf> {
    let own = format!("ironlance-{}", rustix::process::geteuid().as_raw());
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let folders = runtime.into_iter().chain([PathBuf::from("/run"), env::temp_dir()]);
    folders.map(|folder| folder.join(&own)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_ledger_knows_what_was_sent_for_as_long_as_its_file_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path()).unwrap();
        let folders = [dir.path().join("outbox/dead/no folder\0"), dir.path().join("run")];
        for id in ["1", "2"] {
            fs::write(outbox.new_dir().join(id), "x").unwrap();
        }
        outbox.note_in_ledger(&folders, "1").unwrap();
        assert_eq!(outbox.sent_by(&folders), ["1"]);
        fs::remove_file(outbox.new_dir().join("1")).unwrap();
        assert!(outbox.sent_by(&folders).is_empty());
        assert!(!outbox.ledger(&folders[1]).exists(), "nothing to remember any more");
    }
}
