//! What can go wrong with the folder of `watch`: [`StoreError`], one clear line each.

use std::io;
use std::path::PathBuf;

use ironlance_alert::outbox::OutboxError;
use ironlance_host::lock_file::LockError;
use ironlance_host::supervisor_folder::FolderError;
use thiserror::Error;

use super::saved_state::StateFault;

/// Why something cannot be kept, or was not found as it was left.
#[derive(Debug, Error)]
pub enum StoreError {
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
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The outbox cannot be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Another `watch` works there, or the lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file of the state is damaged.
    #[error("cannot use the saved state {path}: {source}")]
    State {
        /// Where it is, or is kept.
        path: PathBuf,
        /// What is wrong with it.
        source: StateFault,
    },
}
