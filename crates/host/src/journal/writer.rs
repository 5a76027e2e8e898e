//! Appending to a journal: [`JournalWriter`], one for a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use ironlance_core::journal::{JournalEntry, JournalRecord, PreviousRun, segment};
use ironlance_core::text::checked_line;
use thiserror::Error;

use super::segments;
use crate::lock_file::{LockError, LockFile};
use crate::own_file;
use crate::supervisor_folder::{FolderError, make_private};

/// A segment that has reached this length is followed by a new one (bytes).
const SEGMENT: u64 = 1 << 20;

/// Why a journal cannot be written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Its folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
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
    /// Another process writes it.
    #[error("cannot write the journal {path}: the process {holder} writes it")]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Its process id, by its own words.
        holder: String,
    },
}

/// The last record of a journal, as the next start sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LastRecord {
    n: u64,
    at: u64,
    is_stop: bool,
}

/// Appends to the journal of one folder.
#[derive(Debug)]
pub struct JournalWriter {
    folder: PathBuf,
    file: File,
    /// The length of the last segment, without what a failed write may have left behind it.
    length: u64,
    /// The first record of each segment, and the length of those that are complete.
    older: Vec<(u64, u64)>,
    first: u64,
    last: LastRecord,
    max_bytes: u64,
    /// Holds the lock.
    _lock: LockFile,
}

impl JournalWriter {
    /// Opens the journal of `folder`, and makes the folder. A torn last line is cut off. All segments together stay below
    /// `max_bytes` and one segment.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self, JournalError> {
        make_private(folder)?;
        let lock = lock(folder)?;
        let failed = |action| move |source| JournalError::Io { action, path: folder.to_owned(), source };
        let numbers = segments(folder).map_err(failed("read"))?;
        let first = numbers.last().copied().unwrap_or(1);
        let length_of = |number: &u64| {
            fs::metadata(folder.join(segment::file_name(*number))).map_or(0, |found| found.len())
        };
        let older: Vec<(u64, u64)> =
            numbers.iter().filter(|number| **number != first).map(|n| (*n, length_of(n))).collect();
        let (file, length, last) = open_last(folder, first, older.last().map(|(number, _)| *number))?;
        let folder = folder.to_owned();
        Ok(Self { folder, file, length, older, first, last, max_bytes, _lock: lock })
    }

    /// How the run before has ended by the last record, and when that was written (milliseconds since 1970).
    pub fn previous(&self) -> (PreviousRun, Option<u64>) {
        match self.last {
            LastRecord { n: 0, .. } => (PreviousRun::None, None),
            LastRecord { is_stop: true, at, .. } => (PreviousRun::Clean, Some(at)),
            LastRecord { at, .. } => (PreviousRun::Killed, Some(at)),
        }
    }

    /// The number of the last record.
    pub const fn last_number(&self) -> u64 {
        self.last.n
    }

    /// From now on all segments together stay below this and one segment, in bytes.
    pub const fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Appends a record of the run `boot`; `at` is in milliseconds since 1970. One `write(2)`, not synced.
    ///
    /// After an error the record has no number and is not in the journal.
    pub fn append(&mut self, boot: &str, at: u64, entry: JournalEntry) -> Result<u64, JournalError> {
        let record = JournalRecord { n: self.last.n + 1, boot: boot.to_owned(), at, entry };
        let line = checked_line::encode(&record);
        if self.length >= SEGMENT {
            self.roll(record.n)?;
        }
        let path = || self.folder.join(segment::file_name(self.first));
        let whole = match self.file.write(line.as_bytes()) {
            Ok(length) if length == line.len() => Ok(()),
            Ok(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Err(error) => Err(error),
        };
        if let Err(source) = whole {
            // What was written in part must not stand before the next record.
            let _ = self.file.set_len(self.length);
            return Err(JournalError::Io { action: "write to", path: path(), source });
        }
        self.length += line.len() as u64;
        self.last = LastRecord { n: record.n, at, is_stop: record.is_stop() };
        Ok(record.n)
    }

    /// Leaves out the numbers of records that could not be written, so that readers see that they are missing.
    pub const fn skip(&mut self, count: u64) {
        self.last.n += count;
    }

    /// Waits until all of it is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Begins a segment with the record `first`, and removes the oldest ones that are too much.
    fn roll(&mut self, first: u64) -> Result<(), JournalError> {
        let file = open_segment(&self.folder, first)?;
        self.older.push((self.first, self.length));
        (self.file, self.first, self.length) = (file, first, 0);
        let mut total: u64 = self.older.iter().map(|(_, length)| length).sum();
        while total > self.max_bytes && !self.older.is_empty() {
            let (number, length) = self.older.remove(0);
            let _ = fs::remove_file(self.folder.join(segment::file_name(number)));
            total -= length;
        }
        Ok(())
    }
}

/// Takes the lock of a folder.
fn lock(folder: &Path) -> Result<LockFile, JournalError> {
    LockFile::take(&folder.join("lock")).map_err(|error| match error {
        LockError::Busy { holder, .. } => JournalError::Busy { path: folder.to_owned(), holder },
        LockError::Io { action, path, source } => JournalError::Io { action, path, source },
    })
}

fn open_segment(folder: &Path, first: u64) -> Result<File, JournalError> {
    let path = folder.join(segment::file_name(first));
    let opened = own_file::open(&path, OpenOptions::new().read(true).append(true).create(true));
    opened.map_err(|source| JournalError::Io { action: "open", path, source })
}

/// Opens the last segment, cuts a torn line off, and finds the last record: in it, or in the one before where it is empty.
fn open_last(
    folder: &Path,
    first: u64,
    before: Option<u64>,
) -> Result<(File, u64, LastRecord), JournalError> {
    let failed = |source| JournalError::Io { action: "read", path: folder.to_owned(), source };
    let file = open_segment(folder, first)?;
    let bytes = read_all(&file).map_err(failed)?;
    let piece = segment::records(&bytes);
    if piece.length < bytes.len() {
        file.set_len(piece.length as u64).map_err(failed)?;
    }
    let last_of = |records: &[JournalRecord]| {
        records.last().map(|record| LastRecord { n: record.n, at: record.at, is_stop: record.is_stop() })
    };
    let of_before = || {
        let bytes = fs::read(folder.join(segment::file_name(before?))).ok()?;
        last_of(&segment::records(&bytes).records)
    };
    let last = last_of(&piece.records).or_else(of_before).unwrap_or_default();
    // Damage at the end must not make two records of one number.
    let last = LastRecord { n: last.n.max(first - 1), ..last };
    Ok((file, piece.length as u64, last))
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
