//! An event of ours: its type and its body, as listeners get it.

use std::fmt::Write as _;
use std::rc::Rc;

use crate::event::kind::EventKind;
use crate::process::name::{GroupName, Namespec};
use crate::process::state::ProcessState;
use crate::text::python;

/// An event that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The event's type.
    pub kind: EventKind,
    /// The body.
    pub body: EventBody,
}

/// The body of an event. Those of state changes are kept as facts until they are sent: a million of them may wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// Rendered once, for all pools.
    Text(Rc<str>),
    /// A process went from one state to another.
    State {
        /// Which process; shared by all of its events.
        who: Rc<Namespec>,
        /// The state before.
        from: ProcessState,
        /// The rest.
        detail: StateDetail,
    },
}

impl EventBody {
    /// The text, byte for byte as the `payload()` of events.py.
    pub fn text(&self) -> Rc<str> {
        match self {
            Self::Text(text) => Rc::clone(text),
            Self::State { who, from, detail } => state_text(who, *from, *detail).into(),
        }
    }

    /// What the body takes beside itself while it waits, in bytes. The names of a process are shared by its events.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + RC_OVERHEAD,
            Self::State { .. } => 0,
        }
    }
}

/// What a shared text costs beside its bytes: two counts and the allocator's own (bytes, on 64-bit machines).
const RC_OVERHEAD: usize = 24;

/// One of the two ways out of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputChannel {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl OutputChannel {
    /// `stdout` or `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What the body of a state event says beyond the names and the state before.
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
        /// The id it had.
        pid: u32,
    },
}

impl Notice {
    /// `PROCESS_STATE_*`: a process went from one state to another.
    pub fn state(who: &Rc<Namespec>, from: ProcessState, to: ProcessState, detail: StateDetail) -> Self {
        Self { kind: EventKind::of_state(to), body: EventBody::State { who: Rc::clone(who), from, detail } }
    }

    fn text(kind: EventKind, text: impl Into<Rc<str>>) -> Self {
        Self { kind, body: EventBody::Text(text.into()) }
    }

    /// `PROCESS_LOG_*`: a process wrote `data`.
    pub fn log(channel: OutputChannel, who: &Namespec, pid: u32, data: &[u8]) -> Self {
        let mut body = written(who, pid, data.len());
        let _ = writeln!(body, " channel:{}", channel.name());
        push_text(&mut body, data);
        let kind = match channel {
            OutputChannel::Stdout => EventKind::ProcessLogStdout,
            OutputChannel::Stderr => EventKind::ProcessLogStderr,
        };
        Self::text(kind, body)
    }

    /// `PROCESS_COMMUNICATION_*`: a process wrote `data` between the communication tags.
    pub fn communication(channel: OutputChannel, who: &Namespec, pid: u32, data: &[u8]) -> Self {
        let mut body = written(who, pid, data.len());
        body.push('\n');
        push_text(&mut body, data);
        let kind = match channel {
            OutputChannel::Stdout => EventKind::ProcessCommunicationStdout,
            OutputChannel::Stderr => EventKind::ProcessCommunicationStderr,
        };
        Self::text(kind, body)
    }

    /// `REMOTE_COMMUNICATION`: a client's event, of a kind that the client names.
    pub fn remote(kind: &str, data: &str) -> Self {
        Self::text(EventKind::RemoteCommunication, format!("type:{kind}\n{data}"))
    }

    /// `SUPERVISOR_STATE_CHANGE_RUNNING`.
    pub fn supervisor_running() -> Self {
        Self::text(EventKind::SupervisorStateChangeRunning, "")
    }

    /// `SUPERVISOR_STATE_CHANGE_STOPPING`.
    pub fn supervisor_stopping() -> Self {
        Self::text(EventKind::SupervisorStateChangeStopping, "")
    }

    /// `TICK_5`, `TICK_60` or `TICK_3600`; any other period counts as the next longer, at most an hour. `when` is the
    /// second since 1970 at which the period began.
    pub fn tick(seconds: u32, when: u64) -> Self {
        let kind = match seconds {
            ..=5 => EventKind::Tick5,
            6..=60 => EventKind::Tick60,
            61.. => EventKind::Tick3600,
        };
        Self::text(kind, format!("when:{when}"))
    }

    /// `PROCESS_GROUP_ADDED`.
    pub fn group_added(group: &GroupName) -> Self {
        Self::text(EventKind::ProcessGroupAdded, format!("groupname:{group}\n"))
    }

    /// `PROCESS_GROUP_REMOVED`.
    pub fn group_removed(group: &GroupName) -> Self {
        Self::text(EventKind::ProcessGroupRemoved, format!("groupname:{group}\n"))
    }
}

fn state_text(who: &Namespec, from: ProcessState, detail: StateDetail) -> String {
    let mut body = String::with_capacity(96);
    let _ = write!(body, "processname:{} groupname:{} from_state:{from}", who.process, who.group);
    let _ = match detail {
        StateDetail::Nothing => Ok(()),
        StateDetail::Tries(tries) => write!(body, " tries:{tries}"),
        StateDetail::Pid(pid) => write!(body, " pid:{pid}"),
        StateDetail::Exit { expected, pid } => write!(body, " expected:{} pid:{pid}", u8::from(expected)),
    };
    body
}

/// The beginning of a body about output, with room for the rest.
fn written(who: &Namespec, pid: u32, data: usize) -> String {
    let names = who.process.0.len() + who.group.0.len();
    let mut body = String::with_capacity(names + data + 64);
    let _ = write!(body, "processname:{} groupname:{} pid:{pid}", who.process, who.group);
    body
}

fn push_text(body: &mut String, data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) => body.push_str(text),
        Err(_) => {
            body.push_str("Undecodable: ");
            python::push_repr_bytes(body, data);
        }
    }
}

#[cfg(test)]
mod tests;
