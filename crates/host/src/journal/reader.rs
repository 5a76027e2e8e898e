//! Following a journal: [`JournalReader`], from a record on, a piece at a time.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ironlance_core::journal::{JournalRecord, segment};

use super::segments;

/// The most that is read at a time, in bytes; more than the longest line.
const PIECE: u64 = 256 * 1024;

/// The most that is read of a segment, in bytes: it is closed once it has 1 MiB.
const MAX_SEGMENT: u64 = 4 << 20;

/// Reads the records of a journal, in order, and then those that are appended.
#[derive(Debug)]
pub struct JournalReader {
    folder: PathBuf,
    /// The number of the next record.
    next: u64,
    /// The segment that is read, and up to which byte it has been.
    place: Option<(u64, u64)>,
    /// The segments with records that were read since the last [`JournalReader::sync`].
    unsynced: BTreeSet<u64>,
    /// The last segment that was synced.
    synced: u64,
}

/// What was read at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalPiece {
    /// The records; empty when there are no more for now.
    pub records: Vec<JournalRecord>,
    /// The number of records that are missing before or among them: removed, damaged, or never written.
    pub missing: u64,
}

impl JournalReader {
    /// Reads the journal of `folder` from the record with the number `next`.
    pub fn new(folder: &Path, next: u64) -> Self {
        Self { folder: folder.to_owned(), next, place: None, unsynced: BTreeSet::new(), synced: 0 }
    }

    /// The number of the record that is read next.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The next records, at most about a quarter of a megabyte. A journal that does not exist has none.
    pub fn read(&mut self) -> io::Result<JournalPiece> {
        let numbers = match segments(&self.folder) {
            Ok(numbers) => numbers,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(JournalPiece::default()),
            Err(error) => return Err(error),
        };
        loop {
            let Some((first, from)) = self.find_place(&numbers) else { return Ok(JournalPiece::default()) };
            let bytes = match read_piece(&self.folder.join(segment::file_name(first)), from) {
                Ok(bytes) => bytes,
                // Removed in the meantime: the next call finds the segments anew.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            };
            let mut read = segment::records(&bytes);
            if read.length == 0 && bytes.len() as u64 == PIECE {
                // A line without an end is no record.
                read.length = bytes.len();
            }
            self.place = Some((first, from + read.length as u64));
            if !read.records.is_empty() {
                self.unsynced.insert(first);
            }
            let piece = self.take(read.records);
            let following = numbers.iter().copied().find(|number| *number > first);
            match following {
                _ if !piece.records.is_empty() => return Ok(piece),
                _ if read.length > 0 => {}
                Some(following) => self.place = Some((following, 0)),
                None => return Ok(piece),
            }
        }
    }

    /// Makes all that was read outlive a power cut, which the writer does not: who saves how far he has read must not know
    /// more than the journal does after it.
    pub fn sync(&mut self) -> io::Result<()> {
        while let Some(first) = self.unsynced.first().copied() {
            match File::open(self.folder.join(segment::file_name(first))).and_then(|file| file.sync_data()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            if first != self.synced {
                File::open(&self.folder)?.sync_all()?;
                self.synced = first;
            }
            self.unsynced.pop_first();
        }
        Ok(())
    }

    /// Where to read on: the segment that holds the next record, or the first one where that was removed.
    fn find_place(&self, numbers: &[u64]) -> Option<(u64, u64)> {
        let holding = numbers.iter().rev().find(|number| **number <= self.next).or(numbers.first())?;
        Some(self.place.filter(|(first, _)| numbers.contains(first)).unwrap_or((*holding, 0)))
    }

    /// The records from the next one on, and how many are missing.
    fn take(&mut self, records: Vec<JournalRecord>) -> JournalPiece {
        let mut piece = JournalPiece::default();
        for record in records {
            if record.n < self.next {
                continue;
            }
            piece.missing += record.n - self.next;
            self.next = record.n + 1;
            piece.records.push(record);
        }
        piece
    }
}

/// The last records before the one with the number `before` that are wanted, at most `limit`, the oldest first. Segments are
/// read from the end, one at a time, until there are enough. A journal that does not exist has none.
pub fn last_records(
    folder: &Path,
    before: u64,
    limit: usize,
    wanted: impl Fn(&JournalRecord) -> bool,
) -> io::Result<Vec<JournalRecord>> {
    let numbers = match segments(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        numbers => numbers?,
    };
    // The newest first.
    let mut found = Vec::new();
    for first in numbers.into_iter().rev().skip_while(|first| *first >= before) {
        if found.len() == limit {
            break;
        }
        let bytes = match File::open(folder.join(segment::file_name(first))) {
            // Removed in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => read_segment(file?)?,
        };
        let records = segment::records(&bytes).records.into_iter().rev();
        let records = records.filter(|record| record.n < before && wanted(record));
        found.extend(records.take(limit - found.len()));
    }
    found.reverse();
    Ok(found)
}

fn read_segment(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_SEGMENT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_piece(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
