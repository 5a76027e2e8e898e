//! The outbox: a folder with a file for each alert that waits.
//!
//! ```text
//! put:   tmp/ID ──(link pending/ORIGIN)──rename──▶ new/ID ──taken──▶ gone
//! batch: batch/ORIGIN ─append, append─────rename──▶    │
//!                                                      └─ refused, too old ──▶ dead/ID
//! ```
//!
//! An alert is safe once it is in `new`; each arrow is one rename, so a kill leaves it on one side or the other.
//! `pending/ORIGIN` is a second name of the file that a listener is about to commit, kept until the supervisor has
//! been answered: it tells a successor which event was stored last. `ways/ORIGIN` holds the transport that a
//! listener uses now, for alerts that it left behind with another. `last-error` says why the last try has failed.

pub mod batch;
pub mod folder;
mod last_error;
pub mod record;
pub mod repair;
pub mod retention;
mod sent_ledger;
mod state_dir;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::alert::Alert;
use crate::receiver::Transport;
use folder::{FolderError, at};
use record::{FailedAttempt, OutboxRecord, RecordError, StoredAlert};

/// What the lock, the folders and the files of an outbox are called.
const FOLDERS: [&str; 6] = ["tmp", "new", "dead", "batch", "pending", "ways"];

/// The name that a claim has in `ways`.
const CLAIM: &str = "claim";

/// An outbox on disk.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
}

/// Why an alert cannot be stored or read.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// A folder or file cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file is none of ours, or damaged.
    #[error("cannot read the alert {path}: {source}")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RecordError,
    },
}

impl OutboxError {
    /// Whether the file will never be better than it is.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Record { .. } => true,
            Self::Folder(error) => matches!(error, FolderError::Foreign { .. }),
        }
    }

    /// Whether the file has to be split before it can be read.
    pub const fn is_too_long(&self) -> bool {
        matches!(self, Self::Folder(FolderError::TooLong { .. }))
    }

    /// Whether the alert is simply gone: somebody else has dealt with it.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Folder(error) if error.is_not_found())
    }
}

/// How the alerts of a listener go now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportOverride {
    /// See [`crate::Receiver::transport`].
    pub transport: Transport,
    /// See [`crate::Receiver::from`].
    pub from: Option<String>,
}

/// Where an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxFolder {
    /// Waiting to be delivered.
    New,
    /// Given up.
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

/// The state folder: `IRONLANCE_STATE`, else `/var/lib/ironlance` for root, else below `XDG_STATE_HOME` or the home; or,
/// where there is no outbox, one that our supervisord has made for us.
pub fn state_dir() -> PathBuf {
    let root = rustix::process::geteuid().is_root();
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = state_dir_by(|name| if name == "HOME" { own_home() } else { variable(name) }, root);
    if root || variable("IRONLANCE_STATE").is_some() {
        return own;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    state_dir::or_assigned(own, Path::new(OF_ROOT), rustix::process::geteuid().as_raw(), &passwd)
}

/// Root's state folder.
const OF_ROOT: &str = "/var/lib/ironlance";

fn state_dir_by(variable: impl Fn(&str) -> Option<PathBuf>, root: bool) -> PathBuf {
    if let Some(dir) = variable("IRONLANCE_STATE") {
        return dir;
    }
    if root {
        return PathBuf::from(OF_ROOT);
    }
    let home = || variable("HOME").unwrap_or_else(|| PathBuf::from("/")).join(".local/state");
    variable("XDG_STATE_HOME").unwrap_or_else(home).join("ironlance")
}

/// The home folder of our user by /etc/passwd, when `HOME` is another's: supervisord's `user=` does not change it.
fn own_home() -> Option<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if home.as_ref().is_some_and(|home| fs::metadata(home).is_ok_and(|meta| meta.uid() == uid)) {
        return home;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = lines.find(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid));
    own.and_then(|fields| fields.get(5).map(PathBuf::from)).or(home)
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
    /// Opens, and makes where needed, the outbox of a state folder.
    pub fn open(state_dir: &Path) -> Result<Self, FolderError> {
        let outbox = Self::at(state_dir);
        outbox.prepare()?;
        Ok(outbox)
    }

    /// The outbox of a state folder, without looking whether it is there.
    pub fn at(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("outbox") }
    }

    /// Makes what is missing, and makes sure that nobody else can write there.
    pub fn prepare(&self) -> Result<(), FolderError> {
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

    /// The folder in which listeners leave their present transports.
    pub fn overrides_dir(&self) -> PathBuf {
        self.dir.join("ways")
    }

    fn path(&self, place: OutboxFolder, id: &str) -> PathBuf {
        self.dir.join(place.folder()).join(id)
    }

    /// Stores an alert; it is safe when this returns. With `event`, the event that it was made of stays known
    /// until [`Outbox::answered`].
    pub fn put(&self, alert: &Alert, event: Option<&str>) -> Result<(), OutboxError> {
        self.prepare()?;
        let tmp = self.dir.join("tmp").join(&alert.id);
        folder::write_new(&tmp, record::file(alert, event).as_bytes())?;
        if event.is_some() {
            // Without the link an event that comes twice makes two mails; that is better than none.
            let _ = self.link_pending(alert, &tmp);
        }
        let new = self.path(OutboxFolder::New, &alert.id);
        fs::rename(&tmp, &new).map_err(at("rename", &tmp))?;
        // From here on it will be delivered, so this is no failure any more, whatever the disk says.
        let _ = folder::sync(&self.new_dir());
        Ok(())
    }

    fn pending(&self, origin: &str) -> PathBuf {
        self.dir.join("pending").join(origin_file(origin))
    }

    fn link_pending(&self, alert: &Alert, tmp: &Path) -> Result<(), FolderError> {
        let pending = self.pending(&alert.origin);
        folder::remove(&pending)?;
        fs::hard_link(tmp, &pending).map_err(at("link", &pending))
    }

    /// The supervisor has been told that the event of the last alert of `origin` is dealt with.
    pub fn ack(&self, origin: &str) {
        // What stays behind is found by the successor, and only matters if the same event comes again.
        let _ = folder::remove(&self.pending(origin));
    }

    /// Whether a process, of this listener or of another in its pool, has stored the alert of this event, or has put
    /// it into a batch, without answering it.
    pub fn is_unacked(&self, event: &str) -> bool {
        let holds = |folder: &str, unacked: &dyn Fn(&Path) -> Option<String>| {
            let dir = self.dir.join(folder);
            let names = folder::names(&dir).unwrap_or_default();
            names.iter().any(|name| unacked(&dir.join(name)).as_deref() == Some(event))
        };
        holds("pending", &|path| self.unacked(path)) || holds("batch", &batch::unacked_event_of)
    }

    fn unacked(&self, pending: &Path) -> Option<String> {
        let stored = record::read(&folder::read_own(pending).ok()?).ok()?;
        let tmp = self.dir.join("tmp").join(&stored.alert.id);
        // A twin in tmp means that it was never committed: the alert has to be made again.
        if tmp.exists() { None } else { stored.unacked }
    }

    /// The ids of the alerts in a place, oldest first.
    pub fn ids(&self, place: OutboxFolder) -> Result<Vec<String>, FolderError> {
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

    /// The names of the batches that are collected, or were left by listeners that are no longer there.
    pub fn batches(&self) -> Result<Vec<String>, FolderError> {
        folder::names(&self.dir.join("batch"))
    }

    /// Reads a batch as far as it has come.
    pub fn load_batch(&self, name: &str) -> Result<StoredAlert, OutboxError> {
        let path = self.dir.join("batch").join(name);
        let content = folder::read_own(&path)?;
        record::read_with(&content, None).map_err(|source| OutboxError::Record { path, source })
    }

    /// Whether an alert is still among those that wait.
    pub fn is_waiting(&self, id: &str) -> bool {
        self.path(OutboxFolder::New, id).symlink_metadata().is_ok()
    }

    /// Reads an alert that waits, with the transport that its listener uses now.
    pub fn load_for_delivery(&self, id: &str) -> Result<StoredAlert, OutboxError> {
        let mut stored = self.load(OutboxFolder::New, id)?;
        if let Some(over) = self.transport_override(&stored.alert.origin) {
            stored.alert.receiver.transport = over.transport;
            stored.alert.receiver.from = stored.alert.receiver.from.or(over.from);
        }
        Ok(stored)
    }

    /// Notes a failed try, for people to see; not vital, so not synced.
    pub fn record_attempt(&self, id: &str, attempt: &FailedAttempt) {
        let _ = self.append(OutboxFolder::New, id, &OutboxRecord::Attempt(attempt.clone()));
        let _ = self.set_last_error(attempt.at, &attempt.reason);
    }

    fn append(&self, place: OutboxFolder, id: &str, record: &OutboxRecord) -> Result<(), FolderError> {
        let path = self.path(place, id);
        let mut file = folder::open_any_length(&path, OpenOptions::new().read(true).append(true))?;
        let mut append = || -> std::io::Result<()> {
            // A line that a crash or a full disk has cut must not end up in the middle.
            if let Some(whole) = cut_at(&file)? {
                file.set_len(whole)?;
            }
            file.write_all(record::line(record).as_bytes())
        };
        append().map_err(at("write", &path))
    }

    /// Takes a delivered alert out.
    pub fn remove_delivered(&self, id: &str) -> Result<(), FolderError> {
        folder::remove(&self.path(OutboxFolder::New, id))
    }

    /// Gives an alert up, for this reason.
    pub fn dead_letter(&self, id: &str, attempt: &FailedAttempt) -> Result<(), FolderError> {
        self.record_attempt(id, attempt);
        let new = self.path(OutboxFolder::New, id);
        fs::rename(&new, self.path(OutboxFolder::Dead, id)).map_err(folder::at("move to dead", &new))
    }

    /// Puts a changed alert in the place of the one with the same id, in one step.
    pub fn replace(&self, stored: &StoredAlert) -> Result<(), FolderError> {
        self.write_over(OutboxFolder::New, stored)
    }

    /// Leaves only these recipients of an alert. Where its file cannot be replaced, that is noted in it.
    pub fn set_recipients(&self, stored: &StoredAlert) -> Result<(), FolderError> {
        let noted = || {
            let left = OutboxRecord::Left(stored.alert.receiver.to.clone());
            self.append(OutboxFolder::New, &stored.alert.id, &left)
        };
        self.replace(stored).or_else(|error| noted().map_err(|_| error))
    }

    /// Makes a dead letter of its own, for the recipients that were refused.
    pub fn put_dead_letter(&self, alert: &Alert, attempt: &FailedAttempt) -> Result<(), FolderError> {
        self.write_over(
            OutboxFolder::Dead,
            &StoredAlert { attempts: vec![attempt.clone()], ..StoredAlert::new(alert.clone()) },
        )
    }

    fn write_over(&self, place: OutboxFolder, stored: &StoredAlert) -> Result<(), FolderError> {
        let attempts =
            stored.attempts.iter().map(|attempt| record::line(&OutboxRecord::Attempt(attempt.clone())));
        let content = record::file(&stored.alert, None) + &attempts.collect::<String>();
        let tmp = self.dir.join("tmp").join(format!("{}-{:08x}", stored.alert.id, fastrand::u32(..)));
        folder::write_new(&tmp, content.as_bytes())?;
        fs::rename(&tmp, self.path(place, &stored.alert.id)).map_err(at("rename", &tmp))
    }

    /// Lets a dead alert live again, as if it were made now. One that is too large to be sent is split.
    pub fn retry_dead(&self, id: &str, now: i64) -> Result<(), OutboxError> {
        let mut stored = match self.load(OutboxFolder::Dead, id) {
            Err(error) if error.is_too_long() => return self.split(OutboxFolder::Dead, id).map(drop),
            loaded => loaded?,
        };
        stored.alert.created = now;
        stored.attempts.clear();
        self.write_over(OutboxFolder::New, &stored)?;
        Ok(folder::remove(&self.path(OutboxFolder::Dead, id))?)
    }

    /// Throws an alert away.
    pub fn discard(&self, place: OutboxFolder, id: &str) -> Result<(), FolderError> {
        folder::remove(&self.path(place, id))
    }

    /// Opens the lock of the outbox. Who holds it (`File::lock`) is the one that delivers.
    pub fn lock_file(&self) -> Result<File, FolderError> {
        folder::open_own(&self.dir.join("lock"), OpenOptions::new().write(true).create(true).truncate(false))
    }

    /// Whether `lock` is the lock of this outbox, and held by whoever holds this descriptor.
    pub fn is_locked_by(&self, lock: &impl AsFd) -> bool {
        let Ok(own) = rustix::fs::fstat(lock) else { return false };
        let Ok(there) = fs::symlink_metadata(self.dir.join("lock")) else { return false };
        let same = own.st_dev == there.dev() && own.st_ino == there.ino();
        same && rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Removes what a kill has left half written, if it is older than an hour.
    pub fn clean_tmp(&self) {
        let dir = self.dir.join("tmp");
        for name in folder::names(&dir).unwrap_or_default() {
            let path = dir.join(name);
            let written = fs::symlink_metadata(&path).map_or(i64::MAX, |meta| meta.mtime());
            if unix_time().saturating_sub(written) > 3600 {
                let _ = folder::remove(&path);
            }
        }
    }

    /// Leaves word that the alerts of `origin` that wait shall go by this transport, and from whom if they do not say.
    pub fn set_transport_override(&self, origin: &str, over: &TransportOverride) -> Result<(), FolderError> {
        let name = origin_file(origin);
        let tmp = self.dir.join("tmp").join(format!("{name}-{:08x}", fastrand::u32(..)));
        let json = serde_json::to_vec(over).expect("an override has only strings for keys");
        folder::write_new(&tmp, &json)?;
        fs::rename(&tmp, self.overrides_dir().join(name)).map_err(at("rename", &tmp))
    }

    /// The word that was left for `origin`.
    pub fn transport_override(&self, origin: &str) -> Option<TransportOverride> {
        let content = folder::read_own(&self.overrides_dir().join(origin_file(origin))).ok()?;
        serde_json::from_slice(&content).ok()
    }

    /// Forgets the transports that were left, which may hold passwords, once nothing waits and nothing is dead.
    pub fn clear_overrides(&self) {
        let idle = |place| self.ids(place).is_ok_and(|ids| ids.is_empty());
        if idle(OutboxFolder::New) && idle(OutboxFolder::Dead) {
            for name in folder::names(&self.overrides_dir()).unwrap_or_default() {
                let _ = folder::remove(&self.overrides_dir().join(name));
            }
        }
    }

    /// Tells whoever delivers to look at everything anew, at once.
    pub fn wake_worker(&self) {
        self.signal("nudge");
    }

    /// Tells whoever delivers that another would take over: without a listener of its own it gives way.
    pub fn request_handover(&self) {
        self.signal(CLAIM);
    }

    fn signal(&self, name: &str) {
        let path = self.overrides_dir().join(name);
        let _ = fs::write(&path, b"").and_then(|()| fs::remove_file(&path));
    }

    /// Whether this name, seen in [`Outbox::overrides_dir`], is that of a claim.
    pub fn is_handover_request(name: &OsStr) -> bool {
        name == CLAIM
    }
}

/// Where the last whole line of a file ends, if anything stands behind it.
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
