//! Events: [`Event`], what has happened, from the daemon that makes it to the listener that acts on it. [`wire`] is its body as
//! Supervisor writes it, [`json`] its form in `GET /events`. Nothing here does I/O.

pub mod counts;
pub mod envelope;
pub mod json;
pub mod kind;
pub mod record;
pub mod wire;

use std::rc::Rc;

use self::kind::EventKind;
use crate::process::name::{GroupName, Namespec};
use crate::process::state::ProcessState;
use crate::text::python;

/// Something that has happened. It is small and cheap to clone: a million of them may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `PROCESS_STATE_*`: a process went from one state to another.
    State(StateChange),
    /// `PROCESS_LOG_*`: a process wrote this.
    Log(OutputChannel, Rc<ProcessOutput>),
    /// `PROCESS_COMMUNICATION_*`: a process wrote this between the communication tags.
    Communication(OutputChannel, Rc<ProcessOutput>),
    /// `REMOTE_COMMUNICATION`: a client sent it.
    Remote(Rc<RemoteMessage>),
    /// `SUPERVISOR_STATE_CHANGE_RUNNING`.
    SupervisorRunning,
    /// `SUPERVISOR_STATE_CHANGE_STOPPING`.
    SupervisorStopping,
    /// `TICK_*`: a period began.
    Tick {
        /// The period: 5, 60 or 3600 seconds.
        seconds: u32,
        /// The second since 1970 at which it began.
        when: u64,
    },
    /// `PROCESS_GROUP_ADDED`.
    GroupAdded(Rc<GroupName>),
    /// `PROCESS_GROUP_REMOVED`.
    GroupRemoved(Rc<GroupName>),
}

/// A process went from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Which process; shared by all of its events.
    pub process: Rc<Namespec>,
    /// The state before; `None` where a body that was read names no state.
    pub from: Option<ProcessState>,
    /// The state now.
    pub to: ProcessState,
    /// What the event says beyond.
    pub detail: StateDetail,
}

/// What a state event says beyond the names and the states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDetail {
    /// Nothing (FATAL, UNKNOWN).
    Nothing,
    /// How often a start has failed in a row (STARTING, BACKOFF).
    Tries(u32),
    /// The process id; 0 where there is no process (RUNNING, STOPPING, STOPPED).
    Pid(u32),
    /// How it ended (EXITED).
    Exit {
        /// Whether the exit status is one of `exitcodes`.
        expected: bool,
        /// The id it had; 0 where a body that was read has none.
        pid: u32,
    },
}

/// What a process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessOutput {
    /// Which process; shared by all of its events.
    pub process: Rc<Namespec>,
    /// Its process id.
    pub pid: u32,
    /// The output as text.
    pub text: Box<str>,
}

/// What a client sent by `supervisor.sendRemoteCommEvent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMessage {
    /// The type that the client names.
    pub kind: String,
    /// The message.
    pub data: String,
}

/// One of the two output streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputChannel {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// What a shared text costs beside its bytes: two counts and the allocator's own (bytes, on 64-bit machines).
const RC_OVERHEAD: usize = 24;

impl OutputChannel {
    /// `stdout` or `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl ProcessOutput {
    /// `data` as text; what is no UTF-8 as Python shows bytes, as in the original.
    pub fn new(process: &Rc<Namespec>, pid: u32, data: &[u8]) -> Rc<Self> {
        let text = match std::str::from_utf8(data) {
            Ok(text) => text.into(),
            Err(_) => format!("Undecodable: {}", python::repr_bytes(data)).into(),
        };
        Rc::new(Self { process: Rc::clone(process), pid, text })
    }
}

impl StateDetail {
    /// The process id, where there is one to tell.
    pub const fn pid(self) -> Option<u32> {
        match self {
            Self::Pid(pid) => Some(pid),
            Self::Exit { pid, .. } if pid != 0 => Some(pid),
            Self::Exit { .. } | Self::Nothing | Self::Tries(_) => None,
        }
    }

    /// Whether it is an end with one of the `exitcodes`.
    pub const fn is_expected_exit(self) -> bool {
        matches!(self, Self::Exit { expected: true, .. })
    }
}

impl Event {
    /// A process went from one state to another.
    pub fn state(
        process: impl Into<Rc<Namespec>>,
        from: ProcessState,
        to: ProcessState,
        detail: StateDetail,
    ) -> Self {
        Self::State(StateChange { process: process.into(), from: Some(from), to, detail })
    }

    /// A message of a client.
    pub fn remote(kind: &str, data: &str) -> Self {
        Self::Remote(Rc::new(RemoteMessage { kind: kind.to_owned(), data: data.to_owned() }))
    }

    /// Its type. A tick of another period than the three counts as the next longer, at most an hour.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::State(change) => EventKind::of_state(change.to),
            Self::Log(OutputChannel::Stdout, _) => EventKind::ProcessLogStdout,
            Self::Log(OutputChannel::Stderr, _) => EventKind::ProcessLogStderr,
            Self::Communication(OutputChannel::Stdout, _) => EventKind::ProcessCommunicationStdout,
            Self::Communication(OutputChannel::Stderr, _) => EventKind::ProcessCommunicationStderr,
            Self::Remote(_) => EventKind::RemoteCommunication,
            Self::SupervisorRunning => EventKind::SupervisorStateChangeRunning,
            Self::SupervisorStopping => EventKind::SupervisorStateChangeStopping,
            Self::Tick { seconds: ..=5, .. } => EventKind::Tick5,
            Self::Tick { seconds: 6..=60, .. } => EventKind::Tick60,
            Self::Tick { seconds: 61.., .. } => EventKind::Tick3600,
            Self::GroupAdded(_) => EventKind::ProcessGroupAdded,
            Self::GroupRemoved(_) => EventKind::ProcessGroupRemoved,
        }
    }

    /// The process it is about, if it is about one.
    pub fn process(&self) -> Option<&Namespec> {
        match self {
            Self::State(change) => Some(&change.process),
            Self::Log(_, output) | Self::Communication(_, output) => Some(&output.process),
            _ => None,
        }
    }

    /// What it takes beside itself while it waits, in bytes. The names of a process are shared by its events.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Log(_, output) | Self::Communication(_, output) => {
                output.text.len() + size_of::<ProcessOutput>() + RC_OVERHEAD
            }
            Self::Remote(message) => {
                message.kind.len() + message.data.len() + size_of::<RemoteMessage>() + RC_OVERHEAD
            }
            Self::GroupAdded(group) | Self::GroupRemoved(group) => {
                group.0.len() + size_of::<GroupName>() + RC_OVERHEAD
            }
            Self::State(_) | Self::SupervisorRunning | Self::SupervisorStopping | Self::Tick { .. } => 0,
        }
    }

    /// The free text at the end of its body.
    pub fn text(&self) -> &str {
        wire::body_text(self)
    }

    /// The same event with a body of at most `max` bytes, where its body is longer and ends with free text.
    pub fn shortened(&self, max: usize) -> Option<Self> {
        let (head, text) = wire::body_parts(self);
        if head.len() + text.len() <= max {
            return None;
        }
        let text = &text[..text.floor_char_boundary(max.saturating_sub(head.len()))];
        let with_text = |output: &ProcessOutput| {
            Rc::new(ProcessOutput { process: Rc::clone(&output.process), pid: output.pid, text: text.into() })
        };
        match self {
            Self::Log(channel, output) => Some(Self::Log(*channel, with_text(output))),
            Self::Communication(channel, output) => Some(Self::Communication(*channel, with_text(output))),
            Self::Remote(message) => {
                let kind = &message.kind[..message.kind.floor_char_boundary(max)];
                Some(Self::remote(kind, text))
            }
            _ => None,
        }
    }
}
