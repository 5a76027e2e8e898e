//! Alert files that cannot be sent as they are: a damaged one is replaced by its good lines, one that is too large is split.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use super::folder::{self, at};
use super::record::{self, DAMAGED, OutboxRecord, RecordError, StoredAlert};
use super::{Outbox, OutboxError, OutboxFolder};
use crate::alert::{Alert, AlertEntry};

/// The text of an alert has at most about these bytes: mail servers take 10 MiB, and encoding adds a third.
pub const MAX_MAIL_BYTES: usize = 4 * 1024 * 1024;
/// The longest line of a file, in bytes.
const LONGEST_LINE: u64 = 8 * 1024 * 1024;

/// The result of splitting a file.
#[derive(Debug, Default)]
pub struct SplitReport {
    /// The ids of the parts, which wait now.
    pub ids: Vec<String>,
    /// The number of lines that could not be read.
    pub damaged: usize,
    /// The event of the last entry, unless it was answered.
    pub unacked: Option<String>,
}

/// What people read in the place of damaged lines.
fn notice(damaged: usize, kept: &str) -> AlertEntry {
    let text = format!(
        "({damaged} damaged line(s) of this alert could not be read; the file is kept: ironlance outbox show {kept})"
    );
    AlertEntry::text(text)
}

impl Outbox {
    /// Whether a dead letter is the copy of a damaged file.
    pub fn is_damaged_copy(id: &str) -> bool {
        id.ends_with(DAMAGED)
    }

    /// Replaces a damaged alert by its good lines and a notice about the others. The damaged file becomes a dead letter.
    /// Where the disk refuses, `stored` is repaired all the same.
    pub(super) fn replace_damaged(&self, stored: &mut StoredAlert) -> Result<(), OutboxError> {
        let id = stored.alert.id.clone();
        let kept = self.keep_damaged(&self.path(OutboxFolder::New, &id), &id);
        stored.alert.entries.push(notice(stored.damaged, &format!("{id}{DAMAGED}")));
        stored.damaged = 0;
        kept?;
        self.replace(stored)
    }

    /// Keeps a damaged file as a dead letter.
    pub(super) fn keep_damaged(&self, path: &Path, id: &str) -> Result<String, OutboxError> {
        let kept = format!("{id}{DAMAGED}");
        let dead = self.path(OutboxFolder::Dead, &kept);
        match fs::hard_link(path, &dead) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at("link", &dead)(error)),
            // It may be there from before a kill.
            Ok(()) | Err(_) => Ok(kept),
        }
    }

    /// Splits an alert that is too large for one mail. The parts wait when this returns, and the large one is removed, or a
    /// dead letter when it was damaged.
    pub fn split(&self, place: OutboxFolder, id: &str) -> Result<SplitReport, OutboxError> {
        self.split_file(&self.path(place, id), None)
    }

    /// The same for any file of ours. A `fallback` (an alert without entries) takes the place of the header.
    ///
    /// A kill leaves the file, so that parts may be sent again, under the same ids.
    pub(super) fn split_file(
        &self,
        path: &Path,
        fallback: Option<&Alert>,
    ) -> Result<SplitReport, OutboxError> {
        let bad = |source| OutboxError::Record { path: path.to_owned(), source };
        let file = folder::open_any_length(path, OpenOptions::new().read(true))?;
        let mut lines = Lines(BufReader::new(file));
        let header = lines.next_line().map_err(at("read", path))?.map(|line| record::parse(&line));
        let (id, alert, mut damaged) = match (header, fallback) {
            (Some(Ok(OutboxRecord::Header(header))), fallback) => {
                let alert = header.into_alert();
                (alert.id.clone(), fallback.cloned().unwrap_or(alert), 0)
            }
            (Some(_), Some(alert)) => (alert.id.clone(), alert.clone(), 1),
            (_, _) => return Err(bad(RecordError::NoHeader)),
        };
        let mut ids = Vec::new();
        let mut write = |piece: &mut StoredAlert| {
            piece.alert.id = format!("{id}.{}", ids.len() + 1);
            ids.push(piece.alert.id.clone());
            let tmp = self.tmp(&piece.alert.id);
            folder::remove(&tmp)?;
            folder::write_new(&tmp, record::file(&piece.alert, None).as_bytes())
        };
        let mut piece = StoredAlert::new(alert);
        let mut length = 0;
        while let Some(line) = lines.next_line().map_err(at("read", path))? {
            match record::parse(&line) {
                Ok(record) => piece.apply(record),
                Err(_) if line.ends_with(b"\n") => damaged += 1,
                Err(_) => {}
            }
            length += line.len();
            if length >= MAX_MAIL_BYTES && !piece.alert.entries.is_empty() {
                write(&mut piece)?;
                (piece.alert.entries, length) = (Vec::new(), 0);
            }
        }
        damaged += piece.damaged;
        if damaged > 0 {
            let kept = self.keep_damaged(path, &id).unwrap_or_else(|_| format!("{id}{DAMAGED}"));
            piece.alert.entries.push(notice(damaged, &kept));
        }
        if !piece.alert.entries.is_empty() {
            write(&mut piece)?;
        }
        ids.iter().try_for_each(|id| self.release(id))?;
        folder::sync(&self.new_dir())?;
        folder::remove(path)?;
        Ok(SplitReport { ids, damaged, unacked: piece.unacked })
    }
}

/// The lines of a file; one that is too long is cut, and counts as damaged.
struct Lines<R>(BufReader<R>);

impl<R: Read> Lines<R> {
    fn next_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        self.0.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") {
            self.0.skip_until(b'\n')?;
            line.push(b'\n');
        }
        Ok((!line.is_empty()).then_some(line))
    }
}
