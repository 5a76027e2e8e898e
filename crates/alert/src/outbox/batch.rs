//! A batch: [`Batch`], an alert file that grows by an entry for each event, and is sent by one rename.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::folder::{self, at};
use super::record::{self, OutboxRecord, StoredAlert};
use super::repair;
use super::{Outbox, OutboxError, OutboxFolder, origin_file};
use crate::alert::{Alert, AlertEntry};
use crate::log;

/// A batch on disk, and in memory in case the disk refuses.
#[derive(Debug)]
pub struct Batch {
    path: PathBuf,
    /// The alert so far, with the id by which it will be sent.
    alert: Alert,
    /// Open while it has everything of `alert`.
    pub(super) file: Option<File>,
    unacked: Option<String>,
    /// The bytes that the entries take in a mail.
    size: usize,
    /// The file of an earlier process, if any, is in `alert`.
    has_adopted: bool,
}

impl Batch {
    /// Opens a batch with what an earlier process of the same origin has left. `alert` has the present subject and
    /// receiver, and no entries.
    pub fn open(outbox: &Outbox, alert: Alert) -> Result<Self, OutboxError> {
        let mut batch = Self::in_memory(outbox, alert);
        batch.adopt(outbox)?;
        if !batch.alert.entries.is_empty() {
            let unacked = batch.unacked.clone();
            batch.rewrite(outbox, unacked.as_deref())?;
        }
        Ok(batch)
    }

    /// A batch that is only in memory, until the disk can be used.
    pub fn in_memory(outbox: &Outbox, alert: Alert) -> Self {
        let path = outbox.dir().join("batch").join(origin_file(&alert.origin));
        Self { path, alert, file: None, unacked: None, size: 0, has_adopted: false }
    }

    /// Adds the entries of an earlier process before our own. Its file is not changed before. Of a damaged file the good
    /// lines are taken, and the file is kept as a dead letter; one that is too large for one mail is sent at once, in parts.
    fn adopt(&mut self, outbox: &Outbox) -> Result<(), OutboxError> {
        let empty = Alert { entries: Vec::new(), ..self.alert.clone() };
        match folder::read_own(&self.path) {
            Err(error) if error.is_gone() => {}
            Err(OutboxError::TooLong { .. }) => {
                let split = outbox.split_file(&self.path, Some(&empty))?;
                let (origin, parts) = (&empty.origin, split.ids.len());
                log(&format!("the batch of {origin} is too large for one mail: sent in {parts}"));
                if self.alert.entries.is_empty() {
                    self.unacked = split.unacked;
                }
            }
            Err(error) => return Err(error),
            Ok(content) => {
                let mut stored =
                    record::read_with(&content, Some(&empty)).unwrap_or_else(|_| StoredAlert::new(empty));
                if stored.damaged > 0 {
                    let kept = outbox.keep_damaged(&self.path, &stored.alert.id)?;
                    let lines = stored.damaged;
                    log(&format!(
                        "{lines} damaged line(s) of a batch cannot be read: ironlance outbox show {kept}"
                    ));
                    let text =
                        format!("({lines} damaged line(s) of this batch could not be read; kept as {kept})");
                    stored.alert.entries.push(AlertEntry::text(text));
                }
                if self.alert.entries.is_empty() && !stored.alert.entries.is_empty() {
                    self.unacked = stored.unacked;
                    self.alert.created = stored.alert.created;
                }
                self.alert.entries.splice(0..0, stored.alert.entries);
                self.size = self.alert.size();
            }
        }
        self.has_adopted = true;
        Ok(())
    }

    /// Whether it has to be sent before anything is added.
    pub const fn is_large(&self) -> bool {
        self.size >= repair::MAX_MAIL_BYTES
    }

    /// The entries so far.
    pub fn entries(&self) -> &[AlertEntry] {
        &self.alert.entries
    }

    /// The event of the last entry, if an earlier process has stored it without an answer.
    pub fn unacked(&self) -> Option<&str> {
        self.unacked.as_deref()
    }

    /// Adds an entry; it is safe when this returns `Ok`, and kept in memory in any case.
    pub fn add(&mut self, outbox: &Outbox, entry: AlertEntry, event: &str) -> Result<(), OutboxError> {
        self.unacked = None;
        let now = super::unix_time();
        let line = record::entry_line(&entry, self.alert.receiver.format, Some(event), Some(now));
        self.push(entry);
        self.alert.created = now;
        if self.file.as_ref().is_some_and(|file| !self.is_in_place(file)) {
            self.file = None;
        }
        let Some(file) = &mut self.file else { return self.rewrite(outbox, Some(event)) };
        let appended = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        appended.map_err(|error| {
            // The file may end in half a line; the next entry writes a new one.
            self.file = None;
            at("write", &self.path)(error)
        })
    }

    fn push(&mut self, entry: AlertEntry) {
        self.size += entry.size(self.alert.receiver.format);
        self.alert.entries.push(entry);
    }

    /// Adds an entry in memory only. The file, if any, is out of date from now on.
    pub fn add_in_memory(&mut self, entry: AlertEntry) {
        self.unacked = None;
        self.push(entry);
        self.file = None;
    }

    /// Records that the supervisor has the answer to the event of the last entry.
    pub fn ack(&mut self) {
        self.unacked = None;
        if let Some(file) = &mut self.file
            && file.write_all(record::line(&OutboxRecord::Answered).as_bytes()).is_err()
        {
            self.file = None;
        }
    }

    /// Whether the open file is still the one with the batch's name.
    fn is_in_place(&self, file: &File) -> bool {
        let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::symlink_metadata(&self.path).map(inode);
        file.metadata().map(inode).ok() == there.ok()
    }

    /// Sends the batch by a rename into `new`. Gives the alert instead when it is not whole on disk; call
    /// [`Batch::discard`] when it was stored another way.
    pub fn send(&mut self, outbox: &Outbox) -> Option<Alert> {
        let alert = self.alert.clone();
        self.alert.entries.clear();
        self.size = 0;
        self.alert.id = super::new_id();
        self.unacked = None;
        let on_disk = self.file.take().is_some_and(|file| self.is_in_place(&file));
        let new = outbox.path(OutboxFolder::New, &alert.id);
        if on_disk && fs::rename(&self.path, &new).is_ok() {
            // The rename is the commit; a failing sync changes nothing.
            let _ = folder::sync(&outbox.new_dir());
            return None;
        }
        Some(alert)
    }

    /// Removes the file of a batch that was stored another way.
    pub fn discard(&self) {
        if self.has_adopted {
            let _ = folder::remove(&self.path);
        }
    }

    /// Replaces the file by one with the whole batch. `event` belongs to the last entry.
    fn rewrite(&mut self, outbox: &Outbox, event: Option<&str>) -> Result<(), OutboxError> {
        outbox.prepare()?;
        if !self.has_adopted {
            self.adopt(outbox)?;
        }
        outbox.replace_file(&self.path, record::file(&self.alert, event).as_bytes())?;
        folder::sync(&outbox.dir().join("batch"))?;
        let file =
            OpenOptions::new().append(true).mode(0o600).open(&self.path).map_err(at("open", &self.path))?;
        self.file = Some(file);
        Ok(())
    }
}

/// The end of a batch file that is searched for its last event, in bytes; an entry with its details is far smaller.
const TAIL: u64 = 256 * 1024;

/// The event of the last entry of a batch, unless it was answered.
pub(super) fn unacked_event_of(path: &Path) -> Option<String> {
    let file = folder::open_any_length(path, OpenOptions::new().read(true)).ok()?;
    let length = file.metadata().ok()?.len();
    let start = length.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(length - start).ok()?];
    file.read_exact_at(&mut tail, start).ok()?;
    for line in tail.split_inclusive(|byte| *byte == b'\n').rev() {
        match record::parse(line) {
            Ok(OutboxRecord::Entry(entry)) => return entry.event,
            Ok(OutboxRecord::Answered | OutboxRecord::Header(_)) => return None,
            // Half a line at the end, or at the start of the part that was read.
            Ok(OutboxRecord::Attempt(_) | OutboxRecord::Sent | OutboxRecord::Left(_)) | Err(_) => {}
        }
    }
    None
}
