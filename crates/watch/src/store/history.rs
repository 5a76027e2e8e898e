//! What people ask about later: [`HistoryLog`], the file `history.log` with closed incidents and decisions. Read by `alerts list
//! --all` and `alerts explain`.
//!
//! It is written after the commit and not synced: a kill between the two costs the lines of that commit, not a message.

use std::path::Path;
use std::time::{Duration, SystemTime};

use ironlance_host::line_log::{LineLog, LogPiece};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use crate::machine::{ClosedIncident, Decision};

/// The length at which the file is followed by a new one, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The number of older files.
const OLDER: usize = 9;

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryLine {
    /// Why something was told, or was not.
    Decided(Box<Decision>),
    /// An incident that is over.
    Closed(Box<ClosedIncident>),
}

impl From<Decision> for HistoryLine {
    fn from(decision: Decision) -> Self {
        Self::Decided(Box::new(decision))
    }
}

impl From<ClosedIncident> for HistoryLine {
    fn from(incident: ClosedIncident) -> Self {
        Self::Closed(Box::new(incident))
    }
}

/// The history of one `watch`.
#[derive(Clone, Debug)]
pub struct HistoryLog {
    log: LineLog,
    /// How long it is kept.
    keep: Duration,
}

impl HistoryLog {
    /// The history of the `watch` of this supervisor, kept for this time.
    pub fn new(supervisor: &Path, keep: Duration) -> Self {
        let path = supervisor.join(super::FOLDER).join("history.log");
        Self { log: LineLog::new(path, MAX_BYTES, OLDER), keep }
    }

    /// Appends records, and removes the files that are too old.
    pub fn append(&self, records: &[HistoryLine], now: SystemTime) -> Result<(), StoreError> {
        self.log.append(records).map_err(self.failed("write to"))?;
        self.log.expire(self.keep, now);
        Ok(())
    }

    /// All records, oldest first.
    pub fn read(&self) -> Result<LogPiece<HistoryLine>, StoreError> {
        self.log.read().map_err(self.failed("read"))
    }

    fn failed(&self, action: &'static str) -> impl Fn(std::io::Error) -> StoreError {
        let path = self.log.path().to_owned();
        move |source| StoreError::Io { action, path: path.clone(), source }
    }
}
