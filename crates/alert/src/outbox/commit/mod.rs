//! The commit: [`Outbox::put_all`] stores the alerts of one event for all its receivers, or none of them. Listeners call it.
//!
//! ```text
//! write tmp/ID of each ─▶ link pending/ORIGIN to tmp/FIRST ─▶ rename tmp/FIRST to new/FIRST ─▶ rename the others ─▶ sync new
//!                                                             ▲ the commit
//! ```
//!
//! The header of FIRST names the others. A kill before the commit leaves files in `tmp` that mean nothing: the event comes
//! again. After it, the next process that reads `pending/ORIGIN` finishes the renames, and knows that the event was stored.
//! It knows this by FIRST being gone from `tmp`: so nothing removes a file there that `pending` names, however old.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{self, OutboxError, at};
use super::record;
use super::{Outbox, OutboxFolder, origin_file};
use crate::alert::Alert;

/// A step of a commit; the process may be killed between any two.
#[derive(Clone, Copy, Debug)]
enum CommitStep {
    /// Writes an alert to `tmp`.
    Write(usize),
    /// Links `pending/ORIGIN` to the first alert.
    Link,
    /// Moves an alert to `new`; of the first, this is the commit.
    Release(usize),
    /// Makes the moves outlive a power cut.
    Sync,
}

/// The alerts of one event.
struct Commit<'a> {
    outbox: &'a Outbox,
    alerts: &'a [Alert],
    event: Option<&'a str>,
}

impl Commit<'_> {
    fn steps(&self) -> Vec<CommitStep> {
        let count = self.alerts.len();
        let has_link = self.event.is_some() || count > 1;
        let link = has_link.then_some(CommitStep::Link);
        let written = (0..count).map(CommitStep::Write).chain(link);
        written.chain((0..count).map(CommitStep::Release)).chain([CommitStep::Sync]).collect()
    }

    fn run(&self, step: CommitStep) -> Result<(), OutboxError> {
        match step {
            CommitStep::Write(index) => {
                let alert = &self.alerts[index];
                let siblings = if index == 0 { &self.alerts[1..] } else { &[] };
                let content = record::file_with_siblings(alert, self.event, siblings);
                folder::write_new(&self.outbox.tmp(&alert.id), content.as_bytes())
            }
            CommitStep::Link => match self.link() {
                // Without the link an event that comes twice makes two mails; that is better than none.
                Err(_) if self.alerts.len() == 1 => Ok(()),
                // Without it a commit of several could not be finished after a kill.
                linked => linked,
            },
            CommitStep::Release(0) => self.outbox.release(&self.alerts[0].id),
            CommitStep::Release(index) => match self.outbox.release(&self.alerts[index].id) {
                // Another process of the pool has finished this commit.
                Err(error) if error.is_gone() => Ok(()),
                released => released,
            },
            CommitStep::Sync => {
                // The alerts will be delivered: whatever the disk says, this is no failure any more.
                let _ = folder::sync(&self.outbox.new_dir());
                Ok(())
            }
        }
    }

    fn link(&self) -> Result<(), OutboxError> {
        let pending = self.outbox.pending(&self.alerts[0].origin);
        // The link names the files of an earlier commit, which may have been cut.
        let _ = self.outbox.committed_event(&pending);
        folder::remove(&pending)?;
        fs::hard_link(self.outbox.tmp(&self.alerts[0].id), &pending).map_err(at("link", &pending))
    }
}

impl Outbox {
    /// Stores an alert; it is safe when this returns. With `event`, the event that it was made of stays known until
    /// [`Outbox::ack`].
    pub fn put(&self, alert: &Alert, event: Option<&str>) -> Result<(), OutboxError> {
        self.put_all(std::slice::from_ref(alert), event).map_err(|(error, _)| error)
    }

    /// Stores the alerts of one event, all of the same origin. They are safe when this returns; with an error, those are
    /// given that are not stored.
    pub fn put_all<'a>(
        &self,
        alerts: &'a [Alert],
        event: Option<&'a str>,
    ) -> Result<(), (OutboxError, &'a [Alert])> {
        self.prepare().map_err(|error| (error, alerts))?;
        let commit = Commit { outbox: self, alerts, event };
        for step in commit.steps() {
            let Err(error) = commit.run(step) else { continue };
            if let CommitStep::Release(index @ 1..) = step {
                // The others are committed; a kill before the answer gives these another chance.
                return Err((error, &alerts[index..]));
            }
            if let CommitStep::Link | CommitStep::Release(_) = step {
                let _ = folder::remove(&self.pending(&alerts[0].origin));
            }
            for alert in alerts {
                let _ = folder::remove(&self.tmp(&alert.id));
            }
            return Err((error, alerts));
        }
        Ok(())
    }

    /// Finishes the commits that a kill has cut. Other processes may be at the same: each rename is done once.
    pub fn finish_commits(&self) {
        let pending = self.dir().join("pending");
        for name in folder::names(&pending).unwrap_or_default() {
            self.committed_event(&pending.join(name));
        }
    }

    /// Finishes the commit of a file in `pending`; gives its event, unless it has none or was not committed.
    pub(super) fn committed_event(&self, pending: &Path) -> Option<String> {
        let content = folder::read_own(pending).ok()?;
        let stored = record::read(&content).ok()?;
        if self.tmp(&stored.alert.id).exists() {
            return None;
        }
        for sibling in record::siblings(&content) {
            let _ = self.release(&sibling);
        }
        stored.unacked
    }

    /// The names in `tmp` that a commit of `pending` may still need; `None` where one cannot be read.
    pub(super) fn uncommitted(&self) -> Option<HashSet<String>> {
        let pending = self.dir().join("pending");
        let mut needed = HashSet::new();
        for name in folder::names(&pending).ok()? {
            let content = match folder::read_own(&pending.join(name)) {
                Err(error) if error.is_gone() || error.is_damage() => continue,
                content => content.ok()?,
            };
            needed.extend(record::siblings(&content));
            needed.extend(record::read(&content).ok().map(|stored| stored.alert.id));
        }
        Some(needed)
    }

    /// Moves a whole file of `tmp` to the alerts that wait.
    pub(super) fn release(&self, id: &str) -> Result<(), OutboxError> {
        let tmp = self.tmp(id);
        fs::rename(&tmp, self.path(OutboxFolder::New, id)).map_err(at("rename", &tmp))
    }

    pub(super) fn pending(&self, origin: &str) -> PathBuf {
        self.dir().join("pending").join(origin_file(origin))
    }

    pub(super) fn tmp(&self, id: &str) -> PathBuf {
        self.dir().join("tmp").join(id)
    }
}

#[cfg(test)]
mod tests;
