//! The commit: [`Committer`] saves the state and releases its messages to the outbox, both or neither. No message is lost or made twice.
//!
//! ```text
//! write, sync intents/ID of each ─▶ sync intents ─▶ write, sync state.tmp ─▶ rename to state ─▶ sync ─▶ rename intents/ID
//!                                                                            ▲ the commit               to outbox/new/ID,
//! start: an ID that the state names is renamed to the outbox; any other is removed                      sync
//! ```
//!
//! *Nothing is lost*: before the commit the cursor stands before the events of the messages, so they are folded again;
//! after it the files are on the disk and the state names them. *Nothing is doubled*: a message is one file, which a
//! rename moves, and the cursor stands behind its events. This holds for a kill between any two steps, and for a power
//! cut on a file system that keeps the order of names and the content of what was synced (ext4, xfs, btrfs).
//!
//! A step that fails before the commit leaves the old state, and the caller has the messages. One that fails after it is
//! done by the next commit or start.

#[cfg(test)]
mod test_disk;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::disk::Disk;
use super::error::StoreError;
use super::saved_state::{self, CommitNote, SavedState};

/// The file of the state.
pub(super) const STATE: &str = "state";
/// The file that becomes it.
const TMP: &str = "state.tmp";
/// Where a file is kept that is no state.
const DAMAGED: &str = "state.damaged";
/// The folder of the messages that a commit is about to release.
pub(super) const INTENTS: &str = "intents";

/// A message that is to be released: a complete file of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intent {
    /// Its name there.
    pub id: String,
    /// What it holds.
    pub content: String,
}

/// A step of a commit; the process may be killed between any two. The numbers count the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitStep {
    /// Writes a message to `intents`.
    WriteIntent(usize),
    /// Syncs its content.
    SyncIntent(usize),
    /// Syncs the names in `intents`.
    SyncIntents,
    /// Writes the state to a file of its own.
    WriteState,
    /// Syncs its content.
    SyncState,
    /// Gives it the name of the state: the commit.
    ReplaceState,
    /// Syncs the name.
    SyncFolder,
    /// Moves a message to the outbox.
    Release(usize),
    /// Syncs the names in the outbox.
    SyncOutbox,
}

/// The steps in the order that loses and doubles nothing.
pub(super) fn steps(messages: usize) -> Vec<CommitStep> {
    use CommitStep::{
        Release, ReplaceState, SyncFolder, SyncIntent, SyncIntents, SyncOutbox, SyncState, WriteIntent,
        WriteState,
    };
    let mut steps: Vec<_> = (0..messages).flat_map(|index| [WriteIntent(index), SyncIntent(index)]).collect();
    if messages > 0 {
        steps.push(SyncIntents);
    }
    steps.extend([WriteState, SyncState, ReplaceState, SyncFolder]);
    steps.extend((0..messages).map(Release));
    if messages > 0 {
        steps.push(SyncOutbox);
    }
    steps
}

/// What a start has found.
#[derive(Debug)]
pub struct RecoveredState<P> {
    /// The state of the last commit; `None` at the first start, and where the file was damaged.
    pub state: Option<SavedState<P>>,
    /// What went wrong, for the log.
    pub faults: Vec<StoreError>,
}

/// Commits to one folder.
#[derive(Debug)]
pub(super) struct Committer<D> {
    disk: D,
    folder: PathBuf,
    /// The folder of the outbox in which messages wait.
    new: PathBuf,
    /// Messages of the last commits that could not be moved to the outbox so far.
    unreleased: Vec<String>,
    /// See [`CommitNote::last_message`].
    pub last_message: u64,
}

impl<D: Disk> Committer<D> {
    /// Reads the state, and finishes the commit that a kill has cut.
    ///
    /// # Errors
    /// Where the state cannot be read for now; nothing is changed then.
    pub(super) fn recover<P: DeserializeOwned>(
        disk: D,
        folder: &Path,
        new: &Path,
    ) -> Result<(Self, RecoveredState<P>), StoreError> {
        let (folder, new) = (folder.to_owned(), new.to_owned());
        let mut committer = Self { disk, folder, new, unreleased: Vec::new(), last_message: 0 };
        let path = committer.folder.join(STATE);
        let content = committer.disk.read(&path).map_err(failed("read", &path))?;
        let intents = committer.folder.join(INTENTS);
        let present = committer.disk.names(&intents).map_err(failed("list", &intents))?;
        let mut found = RecoveredState { state: None, faults: Vec::new() };
        let mut named = Vec::new();
        let mut is_damaged = false;
        match content.as_deref().map(saved_state::decode) {
            None => {}
            Some(Ok((state, note))) => {
                (named, committer.last_message) = (note.intents, note.last_message);
                found.state = Some(state);
            }
            Some(Err(source)) => {
                is_damaged = true;
                let kept = committer.folder.join(DAMAGED);
                found.faults.push(StoreError::State { path: kept.clone(), source });
                let moved = committer.disk.rename(&path, &kept).map_err(failed("rename", &path));
                found.faults.extend(moved.err());
            }
        }
        // Of a damaged state it is not known whether it had named a message: one too many is better than none.
        let (ours, left): (_, Vec<String>) =
            present.into_iter().partition(|id| is_damaged || named.contains(id));
        committer.unreleased = ours;
        found.faults.extend(committer.release_all().err());
        for id in left {
            // What stays is no message: no state will ever name it.
            let _ = committer.disk.remove(&intents.join(id));
        }
        Ok((committer, found))
    }

    /// Saves the state and releases the messages.
    ///
    /// # Errors
    /// [`CommitError::is_committed`] says whether the messages are safe all the same.
    pub(super) fn commit<P: Serialize>(
        &mut self,
        state: &SavedState<P>,
        messages: &[Intent],
    ) -> Result<(), CommitError> {
        self.commit_in(&steps(messages.len()), state, messages)
    }

    /// The same in any order of steps.
    pub(super) fn commit_in<P: Serialize>(
        &mut self,
        order: &[CommitStep],
        state: &SavedState<P>,
        messages: &[Intent],
    ) -> Result<(), CommitError> {
        // Those of earlier commits go first: they are older.
        let released = self.release_all();
        let new_ids = messages.iter().map(|message| message.id.clone());
        let intents = self.unreleased.iter().cloned().chain(new_ids).collect();
        let note = CommitNote { intents, last_message: self.last_message };
        let content = saved_state::encode(state, &note);
        let mut is_committed = false;
        let mut outcome = released.map_err(|source| CommitError { source, is_committed: true });
        for step in order {
            match (self.run(*step, &content, messages), step) {
                (Ok(()), CommitStep::ReplaceState) => is_committed = true,
                (Ok(()), _) => {}
                (Err(source), CommitStep::Release(index)) => {
                    self.unreleased.push(messages[*index].id.clone());
                    outcome = Err(CommitError { source, is_committed });
                }
                (Err(source), _) if is_committed => outcome = Err(CommitError { source, is_committed }),
                (Err(source), _) => {
                    for message in messages {
                        // What stays is no message: no state names it.
                        let _ = self.disk.remove(&self.intent(&message.id));
                    }
                    return Err(CommitError { source, is_committed });
                }
            }
        }
        outcome
    }

    fn run(&self, step: CommitStep, state: &str, messages: &[Intent]) -> Result<(), StoreError> {
        let (tmp, kept) = (self.folder.join(TMP), self.folder.join(STATE));
        let intent = |index: usize| self.intent(&messages[index].id);
        let write = |path: &Path, content: &str| {
            self.disk.write(path, content.as_bytes()).map_err(failed("write", path))
        };
        let sync = |path: &Path| self.disk.sync(path).map_err(failed("sync", path));
        match step {
            CommitStep::WriteIntent(index) => write(&intent(index), &messages[index].content),
            CommitStep::SyncIntent(index) => sync(&intent(index)),
            CommitStep::SyncIntents => sync(&self.folder.join(INTENTS)),
            CommitStep::WriteState => write(&tmp, state),
            CommitStep::SyncState => sync(&tmp),
            CommitStep::ReplaceState => self.disk.rename(&tmp, &kept).map_err(failed("rename", &tmp)),
            CommitStep::SyncFolder => sync(&self.folder),
            CommitStep::Release(index) => self.release(&messages[index].id),
            CommitStep::SyncOutbox => sync(&self.new),
        }
    }

    /// Moves the messages of earlier commits to the outbox. Those that cannot be moved stay.
    fn release_all(&mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.unreleased);
        if waiting.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for id in waiting {
            if let Err(error) = self.release(&id) {
                outcome = Err(error);
                self.unreleased.push(id);
            }
        }
        outcome.and(self.disk.sync(&self.new).map_err(failed("sync", &self.new)))
    }

    /// Moves a message to the outbox, unless it is there already.
    fn release(&self, id: &str) -> Result<(), StoreError> {
        let intent = self.intent(id);
        match self.disk.rename(&intent, &self.new.join(id)) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && !self.disk.exists(&intent).unwrap_or(true) =>
            {
                Ok(())
            }
            renamed => renamed.map_err(failed("rename", &intent)),
        }
    }

    fn intent(&self, id: &str) -> PathBuf {
        self.folder.join(INTENTS).join(id)
    }
}

/// Why a commit is not complete.
#[derive(Debug)]
pub(super) struct CommitError {
    /// What failed.
    pub source: StoreError,
    /// The state is saved, and the messages are or will be in the outbox.
    pub is_committed: bool,
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}
