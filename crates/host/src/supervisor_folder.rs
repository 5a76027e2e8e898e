//! The folder of one supervisor in the state folder: `supervisors/IDENTIFIER-XXXXXXXX`, with its journal and what `watch` knows.
//!
//! Several supervisors may share a state folder. The eight hex digits are the CRC-32 of the path of the configuration
//! file, so each has a folder of its own, and finds it again after a restart.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The folder in the state folder that holds those of all supervisors.
pub const SUPERVISORS: &str = "supervisors";
/// The longest part of an identifier that stands in the name, in bytes.
const MAX_NAME: usize = 100;

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
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
    /// Another user can write there, or owns it.
    #[error("cannot use {path}: {reason}")]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The folder of the supervisor with this identifier and this configuration file, below the state folder.
pub fn supervisor_folder(state: &Path, identifier: &str, config: &Path) -> PathBuf {
    let config = fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let sum = crc32fast::hash(config.as_os_str().as_bytes());
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = identifier.chars().map(safe).take(MAX_NAME).collect();
    state.join(SUPERVISORS).join(format!("{}-{sum:08x}", name.trim_start_matches('.')))
}

/// The journal of that supervisor.
pub fn journal_folder(state: &Path, identifier: &str, config: &Path) -> PathBuf {
    supervisor_folder(state, identifier, config).join("journal")
}

/// Makes a folder of mode 0700 with its parents, and checks that it is ours and that no other user can write in it.
pub fn make_private(path: &Path) -> Result<(), FolderError> {
    let failed = |action| move |source| FolderError::Io { action, path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create"))?;
    let found = fs::symlink_metadata(path).map_err(failed("look at"))?;
    let foreign = |reason: String| FolderError::Foreign { path: path.to_owned(), reason };
    if !found.is_dir() {
        return Err(foreign("it is no folder".to_owned()));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(foreign(format!("it belongs to uid {}", found.uid())));
    }
    if found.mode() & 0o022 != 0 {
        return Err(foreign(format!("others can write in it (mode {:o})", found.mode() & 0o7777)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_configuration_file_has_a_folder_of_its_own() {
        let folder = |identifier, config: &str| supervisor_folder("/s".as_ref(), identifier, config.as_ref());
        let first = folder("supervisor", "/nonexistent/a.conf");
        assert_eq!(first, folder("supervisor", "/nonexistent/a.conf"));
        assert_ne!(first, folder("supervisor", "/nonexistent/b.conf"));
        assert!(first.to_str().unwrap().starts_with("/s/supervisors/supervisor-"), "{first:?}");
    }

    #[test]
    fn an_identifier_cannot_lead_out_of_the_folder() {
        let hostile = supervisor_folder("/s".as_ref(), "../../etc/é", "/c".as_ref());
        assert_eq!(hostile.parent(), Some(Path::new("/s/supervisors")));
        assert!(hostile.file_name().unwrap().to_str().unwrap().starts_with("_.._etc__-"), "{hostile:?}");
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_private(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let error = make_private(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot use {}: others can write in it (mode 777)", path.display()));
    }
}
