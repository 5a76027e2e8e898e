//! The journal of a supervisor: [`JournalRecord`], one for each event that people may ask about later.
//!
//! The daemon appends them to the segments of a folder, or `ironlance watch` does under Python's supervisord. `segment`
//! takes the bytes of a segment apart.

use serde::{Deserialize, Serialize};

pub mod segment;

/// The most of an event's body that is recorded, in bytes.
pub const MAX_BODY: usize = 4 * 1024;
/// The most of each tail that is recorded, in bytes.
pub const MAX_TAIL: usize = 2 * 1024;

/// A record of the journal. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Counts up from 1 in the life of the folder, without holes.
    pub n: u64,
    /// What names the run of the supervisor that it is about: a start makes a new one.
    pub boot: String,
    /// When.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub entry: JournalEntry,
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum JournalEntry {
    /// The supervisor has started.
    Start {
        /// What is known of it and of its predecessor.
        start: SupervisorStart,
    },
    /// The supervisor ends in good order.
    Stop {
        /// How.
        stop: SupervisorStop,
    },
    /// A pool of listeners is in trouble, or well again.
    Pool {
        /// Which, and what it is.
        pool: PoolReport,
    },
    /// An event.
    Event(Box<JournalEvent>),
}

/// The start of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorStart {
    /// Its version.
    pub version: String,
    /// Its identifier.
    pub identifier: String,
    /// How the run before has ended, by its last record.
    pub previous: PreviousRun,
    /// When the last record of it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<u64>,
}

/// How a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviousRun {
    /// There is none in the journal.
    None,
    /// It said so.
    Clean,
    /// It was killed, or the machine was switched off: its last record is no [`SupervisorStop`].
    Killed,
}

/// The end of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorStop {
    /// `shutdown`, `restart`, or `unwatched` where the configuration no longer asks for a journal.
    pub how: String,
}

/// A pool of listeners in trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolReport {
    /// The name of the pool.
    pub name: String,
    /// What it is: `overflow`, `broken`, `well`.
    pub trouble: PoolTrouble,
    /// In words, where there are any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The number of events that were dropped since the record before about it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost: u64,
}

/// What is wrong with a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolTrouble {
    /// Its buffer was full, and events were dropped.
    Overflow,
    /// A listener of it broke the protocol or gave up.
    Broken,
    /// It answers again, and no event waits.
    Well,
}

/// An event, and what is known of it beyond its body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JournalEvent {
    /// Its number on the bus, which listeners see as `serial`; none where it is given to no listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// The name of its type, such as `PROCESS_STATE_EXITED`.
    pub event: String,
    /// The group that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The process of that group that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The name of the state before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// For `EXITED`: whether the status is one of the program's `exitcodes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<bool>,
    /// The process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// For `EXITED`: whether the supervisor starts it again by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restarts: bool,
    /// For `BACKOFF` and `FATAL`: the number of attempts to start it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// How the process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<EndReport>,
    /// The type of a REMOTE_COMMUNICATION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The data of a communication, at most [`MAX_BODY`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// How a process ended, as known at that moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndReport {
    /// In words: `exit status 1`, `terminated by SIGKILL`, a step of the start that failed.
    pub why: String,
    /// The exit status, where it exited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The signal's name, where one killed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The kernel killed it: out of memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
    /// It dumped core.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub core: bool,
    /// Who asked for it, in words, where somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// How long it had been up, in milliseconds.
    pub up_ms: u64,
    /// How often it has ended in this run of the supervisor, this time included; 0 where it could not be started.
    pub ends: u64,
    /// The last lines of its standard output, at most [`MAX_TAIL`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// The last lines of its standard error, at most [`MAX_TAIL`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl JournalRecord {
    /// Whether the run that it is about ends in good order with it.
    pub const fn is_stop(&self) -> bool {
        matches!(self.entry, JournalEntry::Stop { .. })
    }
}
