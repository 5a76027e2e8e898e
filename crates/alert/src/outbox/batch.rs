//! A batch in the making: an alert file that grows by an entry for each event, and is sent by one rename.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::folder::{self, FolderError, at};
use super::record::{self, AlertHeader, OutboxRecord, StoredAlert};
use super::repair;
use super::{Outbox, OutboxError, OutboxFolder, origin_file};
use crate::alert::{Alert, AlertEntry};
use crate::log;

/// A batch on disk, and in memory for the case that the disk refuses.
#[derive(Debug)]
pub struct Batch {
    path: PathBuf,
    /// The alert as far as it has come; its id is the one it will be sent by.
    alert: Alert,
    /// Open while everything of `alert` is in it.
    pub(super) file: Option<File>,
    unacked: Option<String>,
    /// So many bytes the entries take in a mail.
    size: usize,
    /// What an earlier process left is in `alert`, or there was nothing.
    has_adopted: bool,
}

impl Batch {
    /// Takes up what an earlier process of the same origin has left, under the present subject, form and receiver;
    /// `alert` has these and no entries.
    pub fn open(outbox: &Outbox, alert: Alert) -> Result<Self, OutboxError> {
        let mut batch = Self::in_memory(outbox, alert);
        batch.adopt(outbox)?;
        if !batch.alert.entries.is_empty() {
            let unacked = batch.unacked.clone();
            batch.begin(outbox, unacked.as_deref())?;
        }
        Ok(batch)
    }

    /// A batch that is only in memory, until the disk can be used.
    pub fn in_memory(outbox: &Outbox, alert: Alert) -> Self {
        let path = outbox.dir().join("batch").join(origin_file(&alert.origin));
        Self { path, alert, file: None, unacked: None, size: 0, has_adopted: false }
    }

    /// Puts what an earlier process has left in front of what we have. Until that has succeeded its file is not
    /// touched. Of a damaged file the good lines are taken, and it is kept among the dead; one that is too large for
    /// one mail is sent at once, in several.
    fn adopt(&mut self, outbox: &Outbox) -> Result<(), OutboxError> {
        match folder::read_own(&self.path) {
            Err(error) if error.is_not_found() => {}
            Err(FolderError::TooLong { .. }) => {
                let draft = Alert { entries: Vec::new(), ..self.alert.clone() };
                let split = outbox.split_file(&self.path, Some(&draft))?;
                log(&format!(
                    "the batch of {} is too large for one mail: sent in {}",
                    draft.origin,
                    split.ids.len()
                ));
                if self.alert.entries.is_empty() {
                    self.unacked = split.unacked;
                }
            }
            Err(error) => return Err(error.into()),
            Ok(content) => {
                let draft = Alert { entries: Vec::new(), ..self.alert.clone() };
                let mut stored =
                    record::read_with(&content, Some(&draft)).unwrap_or_else(|_| StoredAlert::new(draft));
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

    /// Whether it should be sent before anything is added to it.
    pub const fn is_large(&self) -> bool {
        self.size >= repair::MAX_MAIL_BYTES
    }

    /// What has been collected.
    pub fn entries(&self) -> &[AlertEntry] {
        &self.alert.entries
    }

    /// The event of the last entry that an earlier process has stored without answering it.
    pub fn unacked(&self) -> Option<&str> {
        self.unacked.as_deref()
    }

    /// Adds what happened; it is safe when this returns `Ok`, and kept in memory in any case.
    pub fn add(&mut self, outbox: &Outbox, entry: AlertEntry, event: &str) -> Result<(), OutboxError> {
        self.unacked = None;
        let now = super::unix_time();
        let line = record::entry_line(&entry, self.alert.receiver.format, Some(event), Some(now));
        self.push(entry);
        self.alert.created = now;
        if self.file.as_ref().is_some_and(|file| !self.is_in_place(file)) {
            self.file = None;
        }
        let Some(file) = &mut self.file else { return self.begin(outbox, Some(event)) };
        let appended = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        appended.map_err(|error| {
            // The file may end in half a line now; the next entry writes it anew.
            self.file = None;
            at("write", &self.path)(error).into()
        })
    }

    fn push(&mut self, entry: AlertEntry) {
        self.size += entry.size(self.alert.receiver.format);
        self.alert.entries.push(entry);
    }

    /// Adds what happened to what is in memory only. The file, if there is one, is behind from now on.
    pub fn add_in_memory(&mut self, entry: AlertEntry) {
        self.unacked = None;
        self.push(entry);
        self.file = None;
    }

    /// The supervisor has been told that the event of the last entry is dealt with.
    pub fn ack(&mut self) {
        self.unacked = None;
        if let Some(file) = &mut self.file
            && file.write_all(record::line(&OutboxRecord::Answered).as_bytes()).is_err()
        {
            self.file = None;
        }
    }

    /// Whether the file that we write is still the one that has the batch's name.
    fn is_in_place(&self, file: &File) -> bool {
        let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::symlink_metadata(&self.path).map(inode);
        file.metadata().map(inode).ok() == there.ok()
    }

    /// Sends the batch by moving it to the alerts that wait. Gives the alert when it is not all on disk and has to
    /// go another way; [`Batch::discard`] is to be called when it has gone.
    pub fn send(&mut self, outbox: &Outbox) -> Option<Alert> {
        let alert = self.alert.clone();
        self.alert.entries.clear();
        self.size = 0;
        self.alert.id = super::new_id();
        self.unacked = None;
        let on_disk = self.file.take().is_some_and(|file| self.is_in_place(&file));
        let new = outbox.path(OutboxFolder::New, &alert.id);
        if on_disk && fs::rename(&self.path, &new).is_ok() {
            // The rename is what counts; that it outlives a power cut as well is as good as it gets.
            let _ = folder::sync(&outbox.new_dir());
            return None;
        }
        Some(alert)
    }

    /// Removes what is left of a batch on disk that went another way.
    pub fn discard(&self) {
        if self.has_adopted {
            let _ = folder::remove(&self.path);
        }
    }

    /// Writes the whole batch to a new file in the place of the old one. `event` belongs to the last entry.
    fn begin(&mut self, outbox: &Outbox, event: Option<&str>) -> Result<(), OutboxError> {
        outbox.prepare()?;
        if !self.has_adopted {
            self.adopt(outbox)?;
        }
        let mut content = record::line(&OutboxRecord::Header(Box::new(AlertHeader::of(&self.alert, &[]))));
        let last = self.alert.entries.len().saturating_sub(1);
        for (index, entry) in self.alert.entries.iter().enumerate() {
            content.push_str(&record::entry_line(
                entry,
                self.alert.receiver.format,
                event.filter(|_| index == last),
                None,
            ));
        }
        let tmp = outbox.dir().join("tmp").join(format!("{}-batch", self.alert.id));
        let _ = folder::remove(&tmp);
        folder::write_new(&tmp, content.as_bytes())?;
        fs::rename(&tmp, &self.path).map_err(at("rename", &tmp))?;
        folder::sync(&outbox.dir().join("batch"))?;
        let file =
            OpenOptions::new().append(true).mode(0o600).open(&self.path).map_err(at("open", &self.path))?;
        self.file = Some(file);
        Ok(())
    }
}

/// So much of a batch's end is looked at for its last event, in bytes; an entry with its details is far smaller.
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
            // Half a line at the end, or in the middle of the first one.
            Ok(OutboxRecord::Attempt(_) | OutboxRecord::Sent | OutboxRecord::Left(_)) | Err(_) => {}
        }
    }
    None
}
