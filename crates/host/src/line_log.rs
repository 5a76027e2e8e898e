//! Logs of records for people and programs: [`LineLog`], lines with checksums in a file that is rotated by size. Appends are not synced.
//!
//! ```text
//! NAME      appended to, one write(2) each time
//! NAME.1    the one before, and so on; the oldest is removed
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ironlance_core::text::checked_line;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::own_file;

/// The most that is read of a file, in bytes.
const MAX_READ: u64 = 64 * 1024 * 1024;

/// A log of records, which may not exist yet. Several processes may append to it.
#[derive(Clone, Debug)]
pub struct LineLog {
    path: PathBuf,
    /// A file that has reached this length is followed by a new one, in bytes.
    max_bytes: u64,
    /// The number of files before the last one that are kept.
    older: usize,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPiece<R> {
    /// The records, oldest first.
    pub records: Vec<R>,
    /// The number of lines that cannot be read.
    pub damaged: usize,
}

impl LineLog {
    /// The log of this path.
    pub fn new(path: PathBuf, max_bytes: u64, older: usize) -> Self {
        Self { path, max_bytes, older }
    }

    /// The file that is appended to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends records.
    pub fn append<R: Serialize>(&self, records: &[R]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut file = self.open_for_append()?;
        let mut length = file.metadata()?.len();
        if length >= self.max_bytes {
            self.rotate()?;
            file = self.open_for_append()?;
            length = file.metadata()?.len();
        }
        let mut text = String::new();
        if !ends_with_newline(&file, length)? {
            // What a full disk or a crash has cut stays a line of its own.
            text.push('\n');
        }
        text.extend(records.iter().map(checked_line::encode));
        file.write_all(text.as_bytes())
    }

    /// All records, of the older files too.
    pub fn read<R: DeserializeOwned>(&self) -> io::Result<LogPiece<R>> {
        let mut piece = LogPiece { records: Vec::new(), damaged: 0 };
        for path in (0..=self.older).rev().map(|age| self.path_of(age)) {
            let file = match own_file::open(&path, OpenOptions::new().read(true)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            let mut bytes = Vec::new();
            file.take(MAX_READ).read_to_end(&mut bytes)?;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                match checked_line::decode(line) {
                    Ok(record) => piece.records.push(record),
                    Err(_) => piece.damaged += 1,
                }
            }
        }
        Ok(piece)
    }

    /// Removes the files whose last record was written longer ago than `keep`.
    pub fn expire(&self, keep: Duration, now: SystemTime) {
        for path in (1..=self.older).map(|age| self.path_of(age)) {
            let written = fs::symlink_metadata(&path).and_then(|found| found.modified());
            if written.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > keep)) {
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn rotate(&self) -> io::Result<()> {
        for age in (0..self.older).rev() {
            match fs::rename(self.path_of(age), self.path_of(age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.older == 0 { fs::remove_file(&self.path) } else { Ok(()) }
    }

    fn path_of(&self, age: usize) -> PathBuf {
        if age == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }

    fn open_for_append(&self) -> io::Result<File> {
        own_file::open(&self.path, OpenOptions::new().read(true).append(true).create(true))
    }
}

fn ends_with_newline(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn log(folder: &tempfile::TempDir, older: usize) -> LineLog {
        LineLog::new(folder.path().join("log"), 60, older)
    }

    #[test]
    fn records_are_read_in_order_and_the_oldest_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder, 2);
        assert_eq!(log.read::<u32>().unwrap(), LogPiece::default());
        for number in 0..100_u32 {
            log.append(&[number]).unwrap();
        }
        let read = log.read::<u32>().unwrap();
        let first = read.records[0];
        assert_eq!(read.records, (first..100).collect::<Vec<_>>());
        assert_eq!(read.damaged, 0);
        assert!((80..95).contains(&first), "{first}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_log_without_older_files_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder, 0);
        for number in 0..20_u32 {
            log.append(&[number]).unwrap();
        }
        assert_eq!(log.read::<u32>().unwrap().records.last(), Some(&19));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_line_that_was_cut_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder, 1);
        log.append(&[1_u32]).unwrap();
        let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all(b"0123 half").unwrap();
        log.append(&[2_u32, 3]).unwrap();
        assert_eq!(log.read::<u32>().unwrap(), LogPiece { records: vec![1, 2, 3], damaged: 1 });
    }

    #[test]
    fn files_are_removed_when_their_last_record_is_too_old() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder, 2);
        for number in 0..15_u32 {
            log.append(&[number]).unwrap();
        }
        let day = Duration::from_secs(86_400);
        log.expire(day, SystemTime::now());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        log.expire(day, SystemTime::now() + day * 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the last file stays");
    }
}
