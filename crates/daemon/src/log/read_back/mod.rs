//! Reading a log file: [`read_file`] and [`tail_file`] find the bytes (`readFile` and `tailFile` of the original,
//! options.py), [`FileRange`] reads them later, outside of the owner.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ironlance_rpc::FaultKind;

use crate::files::safe_open;

/// The longest range, in bytes. A log is larger only if it is configured so.
const MAX_READ: u64 = 64 << 20;

/// A range of an open log file. A rotation does not change it.
#[derive(Clone, Debug)]
pub(crate) struct FileRange {
    file: Arc<File>,
    start: u64,
    end: u64,
}

impl FileRange {
    /// The bytes that were not read yet.
    pub(crate) fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether all bytes were read.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the next bytes to `piece`, `most` at most. The range ends early where the file was truncated after it
    /// was opened.
    ///
    /// # Errors
    /// Those of read(2).
    pub(crate) fn read(&mut self, most: usize, piece: &mut Vec<u8>) -> io::Result<()> {
        let (from, wanted) = (piece.len(), usize::try_from(self.len()).unwrap_or(most).min(most));
        piece.resize(from + wanted, 0);
        let mut filled = from;
        while filled < piece.len() {
            match self.file.read_at(&mut piece[filled..], self.start) {
                Ok(0) => self.end = self.start,
                Ok(read) => {
                    filled += read;
                    self.start += read as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            piece.truncate(filled);
        }
        Ok(())
    }

    /// Reads the rest.
    ///
    /// # Errors
    /// Those of read(2).
    pub(crate) fn all(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read(usize::MAX, &mut bytes)?;
        Ok(bytes)
    }
}

/// The result of [`tail_file`].
#[derive(Debug)]
pub(crate) struct TailRange {
    /// The range to read; none if it is empty.
    pub range: Option<FileRange>,
    /// The offset for the next call: the size of the file.
    pub offset: i64,
    /// Whether the file has more bytes than were asked for; then the range is the last of them.
    pub overflow: bool,
}

/// Finds `length` bytes from `offset`: all that follow if `length` is 0, the last bytes if `offset` is negative, 64
/// MiB at most.
///
/// # Errors
/// `BAD_ARGUMENTS` for a length with a negative offset, or a negative length; `FAILED` for what is not a readable
/// regular file.
pub(crate) fn read_file(path: &Path, offset: i64, length: i64) -> Result<FileRange, FaultKind> {
    let (file, metadata) = safe_open::open_regular(path).map_err(|_| FaultKind::Failed)?;
    let size = metadata.len();
    let (start, wanted) = match (u64::try_from(offset), u64::try_from(length)) {
        (Ok(start), Ok(0)) => (start, u64::MAX),
        (Ok(start), Ok(length)) => (start, length),
        (Err(_), Ok(0)) => (size.saturating_sub(offset.unsigned_abs()), offset.unsigned_abs()),
        (_, _) => return Err(FaultKind::BadArguments),
    };
    Ok(excerpt(file, size, start, wanted))
}

/// Finds `length` bytes from `offset` for a client that follows a log. A file that cannot be read is empty.
pub(crate) fn tail_file(path: &Path, offset: i64, length: i64) -> TailRange {
    tail(path, offset, length).unwrap_or(TailRange { range: None, offset, overflow: false })
}

fn tail(path: &Path, offset: i64, length: i64) -> io::Result<TailRange> {
    let (file, metadata) = safe_open::open_regular(path)?;
    let size = i64::try_from(metadata.len()).unwrap_or(i64::MAX);
    let (mut offset, mut length) = (offset, length);
    let mut overflow = false;
    if size > offset.saturating_add(length) {
        overflow = true;
        offset = size - 1;
    }
    if offset.saturating_add(length) > size {
        if offset > size - 1 {
            length = 0;
        }
        offset = size.saturating_sub(length);
    }
    let end = match (u64::try_from(offset), u64::try_from(length)) {
        (_, Err(_) | Ok(0)) => None,
        (start, Ok(length)) => Some(excerpt(file, metadata.len(), start.unwrap_or(0), length)),
    };
    Ok(TailRange { range: end, offset: size, overflow })
}

fn excerpt(file: File, size: u64, start: u64, length: u64) -> FileRange {
    let end = start.saturating_add(length.min(MAX_READ)).min(size);
    FileRange { file: Arc::new(file), start, end }
}

#[cfg(test)]
mod tests;
