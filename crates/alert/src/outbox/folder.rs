//! Files and folders of the outbox: opened, written and synced here. Others must not be able to write them: they name commands to run.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;

use super::record::RecordError;

/// A file larger than this, in bytes, is not read as a whole; `repair` splits it.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Why an alert cannot be stored or read.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// A system call failed.
    #[error("cannot {action} {path}: {}", ironlance_net::os_error(.source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is longer than any file that we read as a whole.
    #[error("cannot read {path} as a whole: it has {length} bytes, more than {MAX_FILE}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// The outbox has reached its limit.
    #[error(
        "cannot store in {path}: what waits has {size} bytes, and {limit} are allowed (IRONLANCE_OUTBOX_MB)"
    )]
    Full {
        /// The outbox.
        path: PathBuf,
        /// How large it is, in bytes.
        size: u64,
        /// How large it may become, in bytes.
        limit: u64,
    },
    /// Another user can write, or has written, there.
    #[error("cannot trust {path}: {reason}")]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is not an alert file, or is damaged.
    #[error("cannot read the alert {path}: {source}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordError,
    },
}

impl OutboxError {
    /// Whether another attempt to read the file makes no sense.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Record { .. } | Self::Foreign { .. })
    }

    /// Whether the file has to be split before it can be read.
    pub const fn is_too_long(&self) -> bool {
        matches!(self, Self::TooLong { .. })
    }

    /// Whether the file does not exist.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Adds action and path to an error.
pub(super) fn at<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OutboxError + 'a {
    move |source| OutboxError::Io { action, path: path.to_owned(), source }
}

/// Makes a folder of mode 0700 with its parents, and checks that no other user can write there.
pub fn prepare(path: &Path) -> Result<(), OutboxError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at("create", path))?;
    let meta = fs::symlink_metadata(path).map_err(at("look at", path))?;
    if !meta.is_dir() {
        return Err(foreign(path, "it is no folder".to_owned()));
    }
    check_owner(path, &meta)?;
    if meta.mode() & 0o022 != 0 {
        return Err(foreign(path, format!("others can write in it (mode {:o})", meta.mode() & 0o7777)));
    }
    Ok(())
}

/// Makes a new file of mode 0600 with this content, synced when this returns.
pub(super) fn write_new(path: &Path, content: &[u8]) -> Result<(), OutboxError> {
    write(path, content, File::sync_data)
}

/// The same without a sync: a power cut may lose it.
pub(super) fn write_unsynced(path: &Path, content: &[u8]) -> Result<(), OutboxError> {
    write(path, content, |_| Ok(()))
}

fn write(path: &Path, content: &[u8], sync: impl Fn(&File) -> io::Result<()>) -> Result<(), OutboxError> {
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = written.and_then(|mut file| file.write_all(content).and_then(|()| sync(&file)));
    written.map_err(|error| {
        // Half a file is useless, and its blocks are needed on a full disk.
        let _ = fs::remove_file(path);
        at("write", path)(error)
    })
}

/// Opens a regular file of ours, of a size that can be read as a whole. Links, pipes (which would block) and files of other
/// users are errors.
pub(super) fn open_own(path: &Path, how: &mut OpenOptions) -> Result<File, OutboxError> {
    let file = open_any_length(path, how)?;
    let length = file.metadata().map_err(at("look at", path))?.len();
    if length > MAX_FILE { Err(OutboxError::TooLong { path: path.to_owned(), length }) } else { Ok(file) }
}

/// The same, of any size.
pub(super) fn open_any_length(path: &Path, how: &mut OpenOptions) -> Result<File, OutboxError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = how.custom_flags(flags).mode(0o600).open(path).map_err(at("open", path))?;
    let meta = file.metadata().map_err(at("look at", path))?;
    if !meta.is_file() {
        return Err(foreign(path, "it is no plain file".to_owned()));
    }
    check_owner(path, &meta)?;
    Ok(file)
}

/// Reads a regular file of ours.
pub(super) fn read_own(path: &Path) -> Result<Vec<u8>, OutboxError> {
    let file = open_own(path, OpenOptions::new().read(true))?;
    let mut content = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut content).map_err(at("read", path))?;
    Ok(content)
}

/// Syncs a folder, so that its names outlive a power cut.
pub(super) fn sync(path: &Path) -> Result<(), OutboxError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at("sync", path))
}

/// Removes a file, if it exists.
pub(super) fn remove(path: &Path) -> Result<(), OutboxError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// The names in a folder, sorted; none if it does not exist.
pub(super) fn names(path: &Path) -> Result<Vec<String>, OutboxError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at("list", path))?,
    };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

fn check_owner(path: &Path, meta: &fs::Metadata) -> Result<(), OutboxError> {
    let own = rustix::process::geteuid().as_raw();
    let reason = || format!("it belongs to uid {}, and we are uid {own}", meta.uid());
    if meta.uid() == own { Ok(()) } else { Err(foreign(path, reason())) }
}

fn foreign(path: &Path, reason: String) -> OutboxError {
    OutboxError::Foreign { path: path.to_owned(), reason }
}
