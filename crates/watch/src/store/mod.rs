//! What `watch` keeps: [`WatchStore`], its folder in that of the supervisor, and the way of messages into the outbox.
//!
//! ```text
//! supervisors/IDENTIFIER-XXXXXXXX/watch/state          all of the machines, replaced as a whole
//!                                       intents/ID     messages that a commit is about to release (`commit`)
//!                                       history.log    closed incidents and decisions (`history`)
//!                                       lock           one watch for one supervisor
//! outbox/new/ID                                        where the messages wait for the deliverer
//! ```
//!
//! Where the disk refuses, work goes on in memory: messages go to the deliverer from memory, and each commit tries again.

mod commit;
mod disk;
mod error;
mod history;
mod pacing;
mod saved_state;
#[cfg(test)]
mod tests;

pub use commit::RecoveredState;
pub use error::StoreError;
pub use history::{HistoryLine, HistoryLog};
pub use pacing::CommitPacing;
pub use saved_state::{SavedState, StateFault};

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_alert::Alert;
use ironlance_alert::outbox::{Outbox, record};
use ironlance_alert::submit::OutboxDelivery;
use ironlance_host::lock_file::{LockError, LockFile};
use ironlance_host::supervisor_folder::make_private;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use commit::{Committer, Intent};
use disk::{Disk, HostDisk};

/// The folder of `watch` in that of its supervisor.
const FOLDER: &str = "watch";

/// Where a store is.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The folder of the supervisor: [`ironlance_host::supervisor_folder::supervisor_folder`].
    pub supervisor: PathBuf,
    /// The state folder, which holds the outbox. It must be on the same file system.
    pub state_dir: PathBuf,
    /// The program that delivers; `deliver` and its arguments are added.
    pub program: PathBuf,
}

/// Saves the state of `watch`, and passes its messages on.
#[derive(Debug)]
pub struct WatchStore {
    folder: PathBuf,
    delivery: OutboxDelivery,
    /// The end of the supervisor's name, for the ids of messages.
    tag: String,
    /// The time in the last message's id, in microseconds since 1970.
    last_message: u64,
    /// What works on the folder; `None` while it cannot be used.
    open: Option<OpenFolder>,
}

/// A folder that is ours.
#[derive(Debug)]
struct OpenFolder {
    committer: Committer<HostDisk>,
    _lock: LockFile,
}

impl WatchStore {
    /// Opens the folder, finishes the commit that a kill has cut, and starts delivering what waits. A folder that cannot
    /// be used is among the faults: the store works in memory then, and each commit tries again.
    ///
    /// # Errors
    /// Only where another process holds the lock.
    pub fn open<P: DeserializeOwned>(options: StoreOptions) -> Result<(Self, RecoveredState<P>), LockError> {
        let StoreOptions { supervisor, state_dir, program } = options;
        let mut store = Self {
            delivery: OutboxDelivery::new(&state_dir, program),
            tag: tag(&supervisor),
            folder: supervisor.join(FOLDER),
            last_message: 0,
            open: None,
        };
        let recovered = match store.open_folder() {
            Ok(recovered) => recovered,
            Err(StoreError::Lock(error @ LockError::Busy { .. })) => return Err(error),
            Err(error) => RecoveredState { state: None, faults: vec![error] },
        };
        store.delivery.deliver_waiting();
        Ok((store, recovered))
    }

    fn open_folder<P: DeserializeOwned>(&mut self) -> Result<RecoveredState<P>, StoreError> {
        make_private(&self.folder)?;
        let lock = LockFile::take(&self.folder.join("lock"))?;
        make_private(&self.folder.join(commit::INTENTS))?;
        self.delivery.open()?;
        let new = self.outbox().new_dir();
        let (committer, recovered) = Committer::recover(HostDisk, &self.folder, &new)?;
        self.last_message = self.last_message.max(committer.last_message);
        self.open = Some(OpenFolder { committer, _lock: lock });
        Ok(recovered)
    }

    /// The id of a message by its number: it sorts by time, even where the clock is set back, and no other message on this
    /// host has it. `at` is the time since 1970.
    pub fn message_id(&mut self, number: u64, at: Duration) -> String {
        let micros = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        self.last_message = micros.max(self.last_message.saturating_add(1));
        format!("{:016}.{number}.{}", self.last_message, self.tag)
    }

    /// Saves the state, and passes its messages to the outbox and the deliverer.
    ///
    /// # Errors
    /// Why something is not on the disk as it should be. The messages are not lost: they are delivered from memory, or will be
    /// moved to the outbox by the next commit.
    pub fn commit<P: Serialize>(
        &mut self,
        state: &SavedState<P>,
        messages: &[Alert],
    ) -> Result<(), StoreError> {
        let outcome = self.try_commit(state, messages);
        match &outcome {
            Ok(()) if messages.is_empty() => {}
            Ok(()) | Err(Uncommitted::Later(_)) => self.delivery.deliver(),
            Err(Uncommitted::Refused(_)) => {
                messages.iter().for_each(|message| self.delivery.deliver_from_memory(message));
            }
        }
        outcome.map_err(|error| match error {
            Uncommitted::Later(error) | Uncommitted::Refused(error) => error,
        })
    }

    fn try_commit<P: Serialize>(
        &mut self,
        state: &SavedState<P>,
        messages: &[Alert],
    ) -> Result<(), Uncommitted> {
        if self.open.is_none() {
            // What an earlier run has saved is older than what is in memory.
            self.open_folder::<IgnoredAny>().map_err(Uncommitted::Refused)?;
        }
        if !messages.is_empty() {
            let size = messages.iter().map(Alert::size).sum();
            let room = self.outbox().prepare().and_then(|()| self.delivery.make_room(size));
            room.map_err(|error| Uncommitted::Refused(error.into()))?;
        }
        let Some(OpenFolder { committer, .. }) = &mut self.open else { return Ok(()) };
        committer.last_message = self.last_message;
        let file_of = |alert: &Alert| Intent { id: alert.id.clone(), content: record::file(alert, None) };
        let intents: Vec<Intent> = messages.iter().map(file_of).collect();
        committer.commit(state, &intents).map_err(|error| match error.is_committed {
            true => Uncommitted::Later(error.source),
            false => Uncommitted::Refused(error.source),
        })
    }

    /// The outbox.
    pub const fn outbox(&self) -> &Outbox {
        self.delivery.outbox()
    }

    /// At most once a minute, starts a deliverer if messages wait.
    pub fn keep_delivering(&mut self) {
        self.delivery.kick_stale();
    }

    /// Before the process ends: gives what was stored a moment to be delivered.
    pub fn close(&self) {
        self.delivery.close();
    }
}

/// What became of messages whose commit has failed.
enum Uncommitted {
    /// They are safe, and will be in the outbox.
    Later(StoreError),
    /// They are not on the disk.
    Refused(StoreError),
}

/// Reads the state of the `watch` of this supervisor, which may be running; `None` where it has none.
pub fn read_state<P: DeserializeOwned>(supervisor: &Path) -> Result<Option<SavedState<P>>, StoreError> {
    let path = supervisor.join(FOLDER).join(commit::STATE);
    let failed = |source| StoreError::Io { action: "read", path: path.clone(), source };
    let Some(content) = HostDisk.read(&path).map_err(failed)? else { return Ok(None) };
    SavedState::parse(&content).map(Some).map_err(|source| StoreError::State { path, source })
}

/// The end of the name of a supervisor's folder, which tells it from others on this host.
fn tag(supervisor: &Path) -> String {
    let name = supervisor.file_name().unwrap_or_default().to_string_lossy();
    let end = name.rsplit('-').next().unwrap_or_default();
    end.chars().filter(char::is_ascii_alphanumeric).collect()
}
