//! A batch in the making: an alert file that grows by an entry for each event, and is sent by one rename.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use super::folder::{self, at};
use super::record::{self, Header, Record};
use super::{Outbox, OutboxError, Place, origin_file};
use crate::alert::{Alert, Entry};

/// A batch on disk, and in memory for the case that the disk refuses.
#[derive(Debug)]
pub struct Batch {
    path: PathBuf,
    /// The alert as far as it has come; its id is the one it will be sent by.
    alert: Alert,
    /// Open while everything of `alert` is in it.
    pub(super) file: Option<File>,
    unanswered: Option<String>,
    /// What an earlier process left is in `alert`, or there was nothing.
    has_adopted: bool,
}

impl Batch {
    /// Takes up what an earlier process of the same origin has left, under the present subject, form and route;
    /// `alert` has these and no entries.
    pub fn open(outbox: &Outbox, alert: Alert) -> Result<Self, OutboxError> {
        let mut batch = Self::in_memory(outbox, alert);
        batch.adopt(outbox)?;
        if !batch.alert.entries.is_empty() {
            let unanswered = batch.unanswered.clone();
            batch.begin(outbox, unanswered.as_deref())?;
        }
        Ok(batch)
    }

    /// A batch that is only in memory, until the disk can be used.
    pub fn in_memory(outbox: &Outbox, alert: Alert) -> Self {
        let path = outbox.dir().join("batch").join(origin_file(&alert.origin));
        Self { path, alert, file: None, unanswered: None, has_adopted: false }
    }

    /// Puts what an earlier process has left in front of what we have. Until that has succeeded its file is not
    /// touched.
    fn adopt(&mut self, outbox: &Outbox) -> Result<(), OutboxError> {
        match folder::read_own(&self.path) {
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
            Ok(content) => match record::read_all(&content).map(|mut all| all.swap_remove(0)) {
                Ok(stored) => {
                    if self.alert.entries.is_empty() && !stored.alert.entries.is_empty() {
                        self.unanswered = stored.unanswered;
                        self.alert.created = stored.alert.created;
                    }
                    self.alert.entries.splice(0..0, stored.alert.entries);
                }
                Err(source) => {
                    let dead = outbox.path(Place::Dead, &super::new_id());
                    fs::rename(&self.path, &dead).map_err(at("move to dead", &self.path))?;
                    self.has_adopted = true;
                    return Err(OutboxError::Record { path: dead, source });
                }
            },
        }
        self.has_adopted = true;
        Ok(())
    }

    /// What has been collected.
    pub fn entries(&self) -> &[Entry] {
        &self.alert.entries
    }

    /// The event of the last entry that an earlier process has stored without answering it.
    pub fn unanswered(&self) -> Option<&str> {
        self.unanswered.as_deref()
    }

    /// Adds what happened; it is safe when this returns `Ok`, and kept in memory in any case.
    pub fn add(&mut self, outbox: &Outbox, entry: Entry, event: &str) -> Result<(), OutboxError> {
        self.unanswered = None;
        let now = super::unix_time();
        let line = record::entry_line(&entry, Some(event), Some(now));
        self.alert.entries.push(entry);
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

    /// The supervisor has been told that the event of the last entry is dealt with.
    pub fn answered(&mut self) {
        self.unanswered = None;
        if let Some(file) = &mut self.file
            && file.write_all(record::line(&Record::Answered).as_bytes()).is_err()
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
        self.alert.id = super::new_id();
        self.unanswered = None;
        let on_disk = self.file.take().is_some_and(|file| self.is_in_place(&file));
        let new = outbox.path(Place::New, &alert.id);
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
        let mut content = record::line(&Record::Header(Box::new(Header::of(&self.alert))));
        let last = self.alert.entries.len().saturating_sub(1);
        for (index, entry) in self.alert.entries.iter().enumerate() {
            content.push_str(&record::entry_line(entry, event.filter(|_| index == last), None));
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
