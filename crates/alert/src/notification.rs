//! What happened, as data: [`Notification`], made by the rules of a listener and kept in the outbox. `render` makes texts of it.

use ironlance_core::{Namespec, ProcessState};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What happened, to what.
    pub cause: Cause,
    /// The local time of it, as superlance writes it for this cause; empty where no text has a time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time: String,
    /// What supervisord knows of each program concerned; empty for a brief alert.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ProcessDetails>,
}

/// What happened, to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A process entered a state.
    StateChange {
        /// Which process.
        #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
        name: Namespec,
        /// The state that it entered.
        #[serde(serialize_with = "write_state", deserialize_with = "read_state")]
        state: ProcessState,
        /// For `EXITED`: whether the exit status is among the program's `exitcodes`.
        expected: bool,
        /// The name of the state before.
        from: String,
        /// Its process id; `None` where the event names none.
        pid: Option<String>,
    },
    /// A web page did not answer as it should.
    HttpCheck {
        /// The page, without passwords.
        url: String,
        /// The part of the answer that is wrong: `status` or `body`.
        fault: String,
        /// What the check found, in superlance's words.
        finding: String,
        /// What was done about it, in order, in superlance's words.
        actions: Vec<String>,
    },
    /// A process uses more memory than it may.
    MemoryLimit {
        /// Which process.
        #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
        name: Namespec,
        /// Its memory in bytes.
        bytes: u64,
        /// What was measured: `RSS` or `PSS`.
        measure: String,
        /// What was done about it.
        outcome: MemoryOutcome,
    },
    /// A test alert, sent by `--test-alert`.
    Test {
        /// The command that was asked to.
        command: String,
        /// The host that it runs on.
        host: String,
    },
}

/// What was done about a process that uses too much memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryOutcome {
    /// Nothing but this notification.
    Notified,
    /// It was restarted.
    Restarted,
    /// It could not be stopped, for this reason.
    StopFailed(String),
    /// It was stopped and could not be started, for this reason.
    StartFailed(String),
    /// It got this signal.
    Signalled(String),
    /// It could not be sent this signal.
    SignalFailed {
        /// The signal's name.
        signal: String,
        /// Why it could not be sent.
        error: String,
    },
}

/// What supervisord knows of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDetails {
    /// Facts in order: a name and its value.
    pub facts: Vec<(String, String)>,
    /// The last lines that it wrote.
    pub tails: Vec<OutputTail>,
}

/// The last lines of a process's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTail {
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The lines, oldest first.
    pub lines: Vec<String>,
}

impl MemoryOutcome {
    /// Whether what was tried has failed.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::StopFailed(_) | Self::StartFailed(_) | Self::SignalFailed { .. })
    }
}

impl ProcessDetails {
    /// Adds a fact.
    pub fn fact(&mut self, name: &str, value: &str) {
        self.facts.push((name.to_owned(), value.to_owned()));
    }
}

/// A state as Supervisor's name of it.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn write_state<S: Serializer>(state: &ProcessState, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.name())
}

fn read_state<'de, D: Deserializer<'de>>(from: D) -> Result<ProcessState, D::Error> {
    let name = String::deserialize(from)?;
    ProcessState::from_name(&name).ok_or_else(|| D::Error::custom(format!("unknown state {name:?}")))
}

/// A name as `[group, process]`.
fn write_name<S: Serializer>(name: &Namespec, to: S) -> Result<S::Ok, S::Error> {
    (name.group.to_string(), name.process.to_string()).serialize(to)
}

fn read_name<'de, D: Deserializer<'de>>(from: D) -> Result<Namespec, D::Error> {
    <(String, String)>::deserialize(from).map(|(group, process)| Namespec::new(group, process))
}
