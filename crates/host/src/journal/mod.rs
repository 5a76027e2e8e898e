//! The folder of a journal: [`JournalWriter`] appends records, [`JournalReader`] follows them. What a record is stands in
//! `core::journal`.
//!
//! ```text
//! journal/00000000000000000001.log     segments of about 1 MiB, named by their first record
//! journal/00000000000000004211.log     the last one is appended to
//! journal/lock                         held by the writer
//! ```
//!
//! An append is one `write(2)` without a sync: a kill loses nothing; a power cut loses the last seconds, and the next
//! `start` record tells that there was one. The oldest segments are removed when all together exceed the limit.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{JournalPiece, JournalReader, last_records};
pub use writer::{JournalError, JournalWriter};

use std::fs;
use std::io;
use std::path::Path;

use ironlance_core::journal::segment;

/// The numbers of the first records of all segments, in order.
fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = fs::read_dir(folder)?
        .filter_map(|entry| segment::first_number(entry.ok()?.file_name().to_str()?))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}
