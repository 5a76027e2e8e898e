//! Reads logs back: `readFile` and `tailFile` of the original (options.py).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use thiserror::Error;

/// The most that is read at once, in bytes. A log file is smaller unless somebody wants it otherwise.
const MOST: u64 = 64 << 20;

/// Why nothing was read; the names are those of the faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadFault {
    /// A length with a negative offset, or a negative length.
    #[error("BAD_ARGUMENTS")]
    BadArguments,
    /// The file cannot be read, or is none.
    #[error("FAILED")]
    Failed,
}

/// Reads `length` bytes from `offset`, all that follows if `length` is 0, or the last bytes if `offset` is negative;
/// at most 64 MiB.
pub fn read_file(path: &Path, offset: i64, length: i64) -> Result<Vec<u8>, ReadFault> {
    let (file, size) = open(path).map_err(|_| ReadFault::Failed)?;
    let (start, wanted) = match (u64::try_from(offset), u64::try_from(length)) {
        (Ok(start), Ok(0)) => (start, u64::MAX),
        (Ok(start), Ok(length)) => (start, length),
        (Err(_), Ok(0)) => (size.saturating_sub(offset.unsigned_abs()), offset.unsigned_abs()),
        (_, _) => return Err(ReadFault::BadArguments),
    };
    piece(file, start, wanted).map_err(|_| ReadFault::Failed)
}

/// Reads `length` bytes from `offset` for who follows a log. Returns the bytes, the size of the file, which is where
/// to go on, and whether the file has more than what was asked for; then it is the last bytes that are given.
pub fn tail_file(path: &Path, offset: i64, length: i64) -> (Vec<u8>, i64, bool) {
    tail(path, offset, length).unwrap_or((Vec::new(), offset, false))
}

fn tail(path: &Path, offset: i64, length: i64) -> io::Result<(Vec<u8>, i64, bool)> {
    let (file, size) = open(path)?;
    let size = i64::try_from(size).unwrap_or(i64::MAX);
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
    let bytes = match (u64::try_from(offset), u64::try_from(length)) {
        (_, Err(_) | Ok(0)) => Vec::new(),
        (start, Ok(length)) => piece(file, start.unwrap_or(0), length)?,
    };
    Ok((bytes, size, overflow))
}

/// Opens a regular file, and tells its size. Others have no offsets; a FIFO would keep us waiting.
fn open(path: &Path) -> io::Result<(File, u64)> {
    #[expect(clippy::cast_possible_wrap, reason = "a flag")]
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok((file, metadata.len()))
}

fn piece(mut file: File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(length.min(MOST)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
