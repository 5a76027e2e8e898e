//! A lock that one process at a time can hold: [`LockFile`], a file with the holder's process id. The kernel releases it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use thiserror::Error;

use crate::own_file;

/// Why a lock cannot be taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("the process {holder} holds {path}")]
    Busy {
        /// The file.
        path: PathBuf,
        /// The process id that it has written into the file.
        holder: String,
    },
    /// A system call failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A lock that this process holds until it is dropped.
#[derive(Debug)]
pub struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock, or says at once who holds it. The file is made where it is missing, and stays.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |action| move |source| LockError::Io { action, path: path.to_owned(), source };
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false);
        let mut file = own_file::open(path, &mut how).map_err(failed("open"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(LockError::Busy { path: path.to_owned(), holder: holder(&file) });
            }
            Err(errno) => return Err(failed("lock")(errno.into())),
        }
        // Only for people: a full disk is no reason not to go on.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

/// The process id in the file; a holder that has not written it yet is unknown.
fn holder(file: &File) -> String {
    let mut text = [0; 16];
    let length = rustix::io::pread(file, &mut text, 0).unwrap_or(0);
    let digits = text.iter().take(length).take_while(|byte| byte.is_ascii_digit());
    let holder: String = digits.map(|byte| char::from(*byte)).collect();
    if holder.is_empty() { "(unknown)".to_owned() } else { holder }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_second_is_told_who_holds_the_lock_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = LockFile::take(&path).unwrap();
        let refused = LockFile::take(&path).unwrap_err().to_string();
        assert_eq!(refused, format!("the process {} holds {}", std::process::id(), path.display()));
        fs::write(&path, "").unwrap();
        assert!(LockFile::take(&path).unwrap_err().to_string().contains("(unknown)"));
        drop(held);
        LockFile::take(&path).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(LockFile::take(&path), Err(LockError::Io { action: "open", .. })));
        assert!(!folder.path().join("elsewhere").exists());
    }
}
