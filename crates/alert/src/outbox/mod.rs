//! The outbox: [`Outbox`], a folder with a file for each alert that waits. Listeners put alerts in, one deliverer takes them out.
//!
//! ```text
//! put:   tmp/ID ──(link pending/ORIGIN)──rename──▶ new/ID ──delivered──▶ removed
//! batch: batch/ORIGIN ─append, append─────rename──▶    │
//!                                                      └─ rejected, too old ──▶ dead/ID
//! ```
//!
//! An alert is safe once it is in `new`; each arrow is one rename, so a kill leaves it on one side or the other.
//! `pending/ORIGIN` is a second name of the file that a listener commits (`commit`), kept until the supervisor has the
//! answer: it tells which event was stored last. `ways/ORIGIN`, one for each receiver of a listener, holds the
//! transport that it uses now, for alerts that it left behind with another. `last-error` says why the last attempt has failed,
//! `log` what was delivered and given up.

pub mod batch;
mod commit;
pub mod delivery_log;
pub mod folder;
mod last_error;
pub mod record;
pub mod repair;
pub mod retention;
mod sent_ledger;
pub mod store;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::receiver::{Receiver, Transport};
pub use folder::OutboxError;
use folder::at;
use record::{OutboxRecord, StoredAlert};

/// The folders of an outbox.
const FOLDERS: [&str; 6] = ["tmp", "new", "dead", "batch", "pending", "ways"];

/// The file in `ways` by which a deliverer is asked to hand over.
const HANDOVER: &str = "claim";

/// An outbox on disk.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
}

/// The transport that a listener uses for a receiver now, for its alerts that wait with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportOverride {
    /// See [`crate::Receiver::transport`].
    pub transport: Transport,
    /// See [`crate::Receiver::from`].
    pub from: Option<String>,
}

impl TransportOverride {
    /// What a receiver has now.
    pub fn of(receiver: &Receiver) -> Self {
        Self { transport: receiver.transport.clone(), from: receiver.from.clone() }
    }
}

/// The folder that an alert is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxFolder {
    /// Alerts that wait.
    New,
    /// Dead letters.
    Dead,
}

impl OutboxFolder {
    const fn folder(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Dead => "dead",
        }
    }
}

/// Seconds since 1970.
pub fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A new id: sorts by time, and is unique among processes.
pub fn new_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:016}.{}.{:08x}", since.as_micros(), std::process::id(), fastrand::u32(..))
}

/// A file name for an origin: readable, of bounded length, and different for different origins.
pub fn origin_file(origin: &str) -> String {
    let name: String =
        origin.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("{name}-{:08x}", crc32fast::hash(origin.as_bytes()))
}

impl Outbox {
    /// Opens the outbox of a state folder, and makes it where needed.
    pub fn open(state_dir: &Path) -> Result<Self, OutboxError> {
        let outbox = Self::at(state_dir);
        outbox.prepare()?;
        Ok(outbox)
    }

    /// The outbox of a state folder, which need not exist.
    pub fn at(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("outbox") }
    }

    /// Makes missing folders, and checks that no other user can write there.
    pub fn prepare(&self) -> Result<(), OutboxError> {
        folder::prepare(&self.dir)?;
        FOLDERS.iter().try_for_each(|name| folder::prepare(&self.dir.join(name)))
    }

    /// The outbox's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder in which alerts wait.
    pub fn new_dir(&self) -> PathBuf {
        self.dir.join("new")
    }

    /// The folder with the transport overrides.
    pub fn overrides_dir(&self) -> PathBuf {
        self.dir.join("ways")
    }

    fn path(&self, place: OutboxFolder, id: &str) -> PathBuf {
        self.dir.join(place.folder()).join(id)
    }

    /// Notes that the supervisor has the answer to the event of the last alert of `origin`.
    pub fn ack(&self, origin: &str) {
        // A file that stays matters only if the same event comes again.
        let _ = folder::remove(&self.pending(origin));
    }

    /// Whether a process of this listener's pool has stored the alerts of this event, or has put it into a batch, and was
    /// killed before it answered.
    pub fn is_unacked(&self, event: &str) -> bool {
        let holds = |folder: &str, unacked: &dyn Fn(&Path) -> Option<String>| {
            let dir = self.dir.join(folder);
            let names = folder::names(&dir).unwrap_or_default();
            names.iter().any(|name| unacked(&dir.join(name)).as_deref() == Some(event))
        };
        holds("pending", &|path| self.committed_event(path)) || holds("batch", &batch::unacked_event_of)
    }

    /// The ids of the alerts in a folder, oldest first.
    pub fn ids(&self, place: OutboxFolder) -> Result<Vec<String>, OutboxError> {
        folder::names(&self.dir.join(place.folder()))
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.ids(OutboxFolder::New).is_ok_and(|ids| ids.is_empty())
    }

    /// Reads an alert.
    pub fn load(&self, place: OutboxFolder, id: &str) -> Result<StoredAlert, OutboxError> {
        let path = self.path(place, id);
        let content = folder::read_own(&path)?;
        let stored = record::read(&content).and_then(|stored| stored.named(id));
        stored.map_err(|source| OutboxError::Record { path, source })
    }

    /// The names of the batches, those of listeners that no longer run among them.
    pub fn batches(&self) -> Result<Vec<String>, OutboxError> {
        folder::names(&self.dir.join("batch"))
    }

    /// Reads a batch as far as it has come.
    pub fn load_batch(&self, name: &str) -> Result<StoredAlert, OutboxError> {
        let path = self.dir.join("batch").join(name);
        let content = folder::read_own(&path)?;
        record::read_with(&content, None).map_err(|source| OutboxError::Record { path, source })
    }

    fn append(&self, place: OutboxFolder, id: &str, record: &OutboxRecord) -> Result<(), OutboxError> {
        let path = self.path(place, id);
        let mut file = folder::open_any_length(&path, OpenOptions::new().read(true).append(true))?;
        let mut append = || -> std::io::Result<()> {
            // A last line that a crash or a full disk has cut is removed first.
            if let Some(whole) = cut_at(&file)? {
                file.set_len(whole)?;
            }
            file.write_all(record::line(record).as_bytes())
        };
        append().map_err(at("write", &path))
    }

    /// Replaces the file of an alert by that of a changed one with the same id, in one step.
    pub fn replace(&self, stored: &StoredAlert) -> Result<(), OutboxError> {
        self.write_over(OutboxFolder::New, stored)
    }

    fn write_over(&self, place: OutboxFolder, stored: &StoredAlert) -> Result<(), OutboxError> {
        let attempts =
            stored.attempts.iter().map(|attempt| record::line(&OutboxRecord::Attempt(attempt.clone())));
        let content = record::file(&stored.alert, None) + &attempts.collect::<String>();
        self.replace_file(&self.path(place, &stored.alert.id), content.as_bytes())
    }

    /// Writes a file in one step: after a kill it is the old one or the new one.
    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<(), OutboxError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tmp = self.dir.join("tmp").join(format!("{name}-{:08x}", fastrand::u32(..)));
        folder::write_new(&tmp, content)?;
        fs::rename(&tmp, path).map_err(at("rename", &tmp))
    }

    /// Makes a dead letter an alert that waits, as if it were made now. One that is too large to be sent is split.
    pub fn retry_dead(&self, id: &str, now: i64) -> Result<(), OutboxError> {
        let mut stored = match self.load(OutboxFolder::Dead, id) {
            Err(error) if error.is_too_long() => return self.split(OutboxFolder::Dead, id).map(drop),
            loaded => loaded?,
        };
        stored.alert.created = now;
        stored.attempts.clear();
        self.write_over(OutboxFolder::New, &stored)?;
        folder::remove(&self.path(OutboxFolder::Dead, id))
    }

    /// Removes an alert without delivering it.
    pub fn discard(&self, place: OutboxFolder, id: &str) -> Result<(), OutboxError> {
        folder::remove(&self.path(place, id))
    }

    /// Opens the lock of the outbox. The process that holds it (`File::lock`) delivers.
    pub fn lock_file(&self) -> Result<File, OutboxError> {
        folder::open_own(&self.dir.join("lock"), OpenOptions::new().write(true).create(true).truncate(false))
    }

    /// Whether `lock` is the lock of this outbox, and held by this descriptor.
    pub fn is_locked_by(&self, lock: &impl AsFd) -> bool {
        let Ok(own) = rustix::fs::fstat(lock) else { return false };
        let Ok(there) = fs::symlink_metadata(self.dir.join("lock")) else { return false };
        let same = own.st_dev == there.dev() && own.st_ino == there.ino();
        same && rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Finishes commits that a kill has cut, and removes files of `tmp` that no commit needs and that are older than an hour.
    pub fn clean_tmp(&self) {
        self.finish_commits();
        let Some(needed) = self.uncommitted() else { return };
        let dir = self.dir.join("tmp");
        for name in folder::names(&dir).unwrap_or_default() {
            let path = dir.join(&name);
            let written = fs::symlink_metadata(&path).map_or(i64::MAX, |meta| meta.mtime());
            if unix_time().saturating_sub(written) > 3600 && !needed.contains(&name) {
                let _ = folder::remove(&path);
            }
        }
    }

    /// Sets the transport for the alerts of `origin` to this receiver that wait, and the sender of those that have none.
    pub fn set_transport_override(&self, origin: &str, receiver: &Receiver) -> Result<(), OutboxError> {
        let json = serde_json::to_vec(&TransportOverride::of(receiver));
        let json = json.expect("an override has only strings for keys");
        self.replace_file(&self.override_file(origin, receiver), &json)
    }

    /// The override for the alerts of `origin` to this receiver.
    pub fn transport_override(&self, origin: &str, receiver: &Receiver) -> Option<TransportOverride> {
        serde_json::from_slice(&folder::read_own(&self.override_file(origin, receiver)).ok()?).ok()
    }

    fn override_file(&self, origin: &str, receiver: &Receiver) -> PathBuf {
        let owner = if receiver.name.is_empty() { "" } else { "\n" };
        self.overrides_dir().join(origin_file(&format!("{origin}{owner}{}", receiver.name)))
    }

    /// Removes all overrides, which may hold passwords, once nothing waits and nothing is dead.
    pub fn clear_overrides(&self) {
        let idle = |place| self.ids(place).is_ok_and(|ids| ids.is_empty());
        if idle(OutboxFolder::New) && idle(OutboxFolder::Dead) {
            for name in folder::names(&self.overrides_dir()).unwrap_or_default() {
                let _ = folder::remove(&self.overrides_dir().join(name));
            }
        }
    }

    /// Makes the deliverer retry everything at once.
    pub fn wake_worker(&self) {
        self.signal("nudge");
    }

    /// Asks the deliverer to hand over to another: one whose listener is gone does.
    pub fn request_handover(&self) {
        self.signal(HANDOVER);
    }

    fn signal(&self, name: &str) {
        let path = self.overrides_dir().join(name);
        let _ = fs::write(&path, b"").and_then(|()| fs::remove_file(&path));
    }

    /// Whether a file of this name in [`Outbox::overrides_dir`] asks for a handover.
    pub fn is_handover_request(name: &OsStr) -> bool {
        name == HANDOVER
    }
}

/// Where the last whole line of a file ends, if anything follows it. Reads from the end, however long the file is.
fn cut_at(file: &File) -> std::io::Result<Option<u64>> {
    let mut end = file.metadata()?.len();
    let mut is_cut = false;
    let mut piece = [0; 4096];
    while end > 0 {
        let length = if is_cut { end.min(piece.len() as u64) } else { 1 };
        let start = end - length;
        let read = &mut piece[..usize::try_from(length).unwrap_or(1)];
        file.read_exact_at(read, start)?;
        match read.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => return Ok(is_cut.then_some(start + at as u64 + 1)),
            None => (end, is_cut) = (if is_cut { start } else { end }, true),
        }
    }
    Ok(is_cut.then_some(0))
}

#[cfg(test)]
mod tests;
