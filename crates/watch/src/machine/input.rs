//! What the machines are told: [`Input`] of [`super::Watch::step`]. The source makes them of journal records and events.

use ironlance_alert::card::{CardTail, Fact};
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;
pub use ironlance_core::alerting::operator::{AckTarget, OperatorCommand};
use ironlance_core::process::name::GroupName;
use ironlance_core::process::state::ProcessState;

/// Something that has happened. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A deadline has come, or may have; never wrong.
    Wake,
    /// A process changed its state.
    Process(ProcessReport),
    /// A process group was removed.
    GroupRemoved(GroupName),
    /// The supervisor stops everything, to end or to begin again.
    Stopping,
    /// The supervisor has started.
    Started {
        /// How the one before it ended.
        previous: EarlierRun,
    },
    /// Something about an event listener's pool.
    Pool {
        /// The pool; its process group.
        pool: GroupName,
        /// What.
        trouble: ListenerTrouble,
    },
    /// The result of a check, or a reading that was held against a limit.
    Check(CheckReading),
    /// An operator's command.
    Operator(OperatorCommand),
    /// Every process of the supervisor as it stands, after events may have been missed.
    Reconciled(Vec<ProcessReport>),
    /// The outbox as it stands: an entry for each receiver that has something in it. Replaces what was known.
    Outbox(Vec<ReceiverBacklog>),
    /// How an [`super::Effect::Act`] went.
    Acted {
        /// The program.
        program: Namespec,
        /// Why it could not be done.
        outcome: Result<(), String>,
    },
    /// `watch` itself is in trouble: its state cannot be stored, or journal records are lost. `None`: not any more.
    OwnTrouble(Option<String>),
}

/// A process in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessReport {
    /// Which.
    pub program: Namespec,
    /// When it entered the state.
    pub at: u64,
    /// The state.
    pub state: ProcessState,
    /// EXITED: its status was an expected one.
    pub expected: bool,
    /// EXITED: the supervisor starts it again.
    pub restarts: bool,
    /// Its process id, where it has one.
    pub pid: Option<i32>,
    /// What is known of it, the cause first: `Ended`, `SpawnError`, `GaveUp`, `RanFor`, `Pid`, `Note`.
    pub facts: Vec<Fact>,
    /// The last lines of its output.
    pub tail: Option<CardTail>,
}

/// How the supervisor before this one ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierRun {
    /// There was none, or it is not known.
    Unknown,
    /// By a shutdown or a restart.
    Clean,
    /// It was killed, or the power failed.
    Killed {
        /// When it was last known to live.
        last_seen: u64,
        /// When this one started.
        at: u64,
    },
}

/// What may be wrong with an event listener's pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerTrouble {
    /// Its buffer was full, and this number of events is lost.
    Overflow {
        /// The number of events.
        lost: u64,
    },
    /// It broke the protocol or gave up: in words.
    Broken(String),
    /// It works.
    Well,
}

/// The result of one check of one program.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckReading {
    /// The program.
    pub program: Namespec,
    /// `Health`, `Memory`, `Cpu` or `Heartbeat`.
    pub family: Family,
    /// The name of the check; empty where the family has only one.
    pub check: String,
    /// When the reading began.
    pub at: u64,
    /// The result.
    pub result: ReadingResult,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadingResult {
    /// As it should be, or below the limit.
    Good,
    /// Not as it should be.
    Bad {
        /// What was found, the finding first.
        facts: Vec<Fact>,
    },
    /// It could not be made: no permission, a file that is missing. It says nothing of the program.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What of a receiver is in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverBacklog {
    /// The receiver.
    pub receiver: String,
    /// Messages that wait. A message through several channels is there several times.
    pub waiting: Vec<WaitingMessage>,
    /// A message that a channel refused for good since the last report, and why.
    pub rejected: Option<String>,
}

/// A message that waits in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMessage {
    /// [`super::Notice::number`].
    pub message: u64,
    /// The number of attempts that failed.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
}
