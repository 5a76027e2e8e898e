//! The body of an event as Supervisor writes it (`payload()` of events.py), both ways: [`encode`] for the daemon, [`decode`]
//! for listeners and clients. A body is a line of `key:value` tokens, and for some types free text after it.

use std::fmt::Write as _;
use std::rc::Rc;

use thiserror::Error;

use super::envelope::{EnvelopeError, tokens};
use super::kind::EventKind;
use super::{Event, OutputChannel, ProcessOutput, StateChange, StateDetail};
use crate::process::name::{GroupName, Namespec};
use crate::process::state::ProcessState;

/// Why a body does not fit its event's type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    /// The body's first line is not made of `key:value` tokens.
    #[error("cannot read the body of {event}: {source}")]
    Body {
        /// The event's type.
        event: EventKind,
        /// What is wrong with the line.
        source: EnvelopeError,
    },
    /// A token is missing from the body.
    #[error("cannot read the body of {event}: no {key}: token")]
    Missing {
        /// The event's type.
        event: EventKind,
        /// The token's key.
        key: &'static str,
    },
    /// `expected:` is neither 0 nor 1.
    #[error("cannot read the body of {event}: expected:{value} is neither 0 nor 1")]
    Expected {
        /// The event's type.
        event: EventKind,
        /// What stood there instead.
        value: String,
    },
    /// A number is none.
    #[error("cannot read the body of {event}: {key}:{value} is not a number")]
    Number {
        /// The event's type.
        event: EventKind,
        /// The token's key.
        key: &'static str,
        /// What stood there instead.
        value: String,
    },
    /// Nothing of this type is ever sent.
    #[error("cannot read the body of {0}: no event has this type itself")]
    Abstract(EventKind),
}

/// The body, byte for byte as the original's.
pub fn encode(event: &Event) -> String {
    let (mut body, text) = body_parts(event);
    body.push_str(text);
    body
}

/// The body in two parts: what has to be made for it, and the text that the event holds already.
pub fn body_parts(event: &Event) -> (String, &str) {
    let mut head = String::new();
    // Writing into a String cannot fail.
    let _ = match event {
        Event::State(change) => {
            head.reserve(96);
            push_state(&mut head, change);
            Ok(())
        }
        Event::Log(channel, output) => {
            push_names(&mut head, &output.process);
            writeln!(head, " pid:{} channel:{}", output.pid, channel.name())
        }
        Event::Communication(_, output) => {
            push_names(&mut head, &output.process);
            writeln!(head, " pid:{}", output.pid)
        }
        Event::Remote(message) => writeln!(head, "type:{}", message.kind),
        Event::Tick { when, .. } => write!(head, "when:{when}"),
        Event::GroupAdded(group) | Event::GroupRemoved(group) => writeln!(head, "groupname:{group}"),
        Event::SupervisorRunning | Event::SupervisorStopping => Ok(()),
    };
    (head, body_text(event))
}

pub(super) fn body_text(event: &Event) -> &str {
    match event {
        Event::Log(_, output) | Event::Communication(_, output) => &output.text,
        Event::Remote(message) => &message.data,
        _ => "",
    }
}

fn push_names(head: &mut String, process: &Namespec) {
    head.reserve(process.process.0.len() + process.group.0.len() + 64);
    head.push_str("processname:");
    head.push_str(&process.process.0);
    head.push_str(" groupname:");
    head.push_str(&process.group.0);
}

fn push_state(head: &mut String, change: &StateChange) {
    push_names(head, &change.process);
    if let Some(from) = change.from {
        head.push_str(" from_state:");
        head.push_str(from.name());
    }
    let _ = match change.detail {
        StateDetail::Nothing => Ok(()),
        StateDetail::Tries(tries) => write!(head, " tries:{tries}"),
        StateDetail::Pid(pid) => write!(head, " pid:{pid}"),
        StateDetail::Exit { expected, pid } => write!(head, " expected:{} pid:{pid}", u8::from(expected)),
    };
}

/// Reads the body of an event of this type. Tokens that are not needed may be missing; of one that stands twice the last counts.
pub fn decode(kind: EventKind, body: &str) -> Result<Event, EventError> {
    let (head, text) = body.split_once('\n').unwrap_or((body, ""));
    let fields = || Fields::parse(kind, head);
    let output = || fields()?.output(text);
    Ok(match kind {
        EventKind::ProcessLogStdout => Event::Log(OutputChannel::Stdout, output()?),
        EventKind::ProcessLogStderr => Event::Log(OutputChannel::Stderr, output()?),
        EventKind::ProcessCommunicationStdout => Event::Communication(OutputChannel::Stdout, output()?),
        EventKind::ProcessCommunicationStderr => Event::Communication(OutputChannel::Stderr, output()?),
        EventKind::RemoteCommunication => {
            let missing = EventError::Missing { event: kind, key: "type" };
            Event::remote(head.strip_prefix("type:").ok_or(missing)?, text)
        }
        EventKind::SupervisorStateChangeRunning => Event::SupervisorRunning,
        EventKind::SupervisorStateChangeStopping => Event::SupervisorStopping,
        EventKind::Tick5 => Event::Tick { seconds: 5, when: fields()?.number("when")? },
        EventKind::Tick60 => Event::Tick { seconds: 60, when: fields()?.number("when")? },
        EventKind::Tick3600 => Event::Tick { seconds: 3600, when: fields()?.number("when")? },
        EventKind::ProcessGroupAdded => Event::GroupAdded(fields()?.group()?.into()),
        EventKind::ProcessGroupRemoved => Event::GroupRemoved(fields()?.group()?.into()),
        // A state, or a type that no event has itself.
        _ => Event::State(decode_state(kind, body)?),
    })
}

/// Reads the body of a `PROCESS_STATE_*` event.
pub fn decode_state(kind: EventKind, body: &str) -> Result<StateChange, EventError> {
    let to = kind.state().ok_or(EventError::Abstract(kind))?;
    let fields = Fields::parse(kind, body.lines().next().unwrap_or_default())?;
    let pid = fields.find("pid").and_then(|pid| pid.parse().ok());
    let expected = match fields.find("expected") {
        Some("1") => Some(true),
        Some("0") => Some(false),
        None => None,
        Some(value) => return Err(EventError::Expected { event: kind, value: value.to_owned() }),
    };
    let detail = match (expected, pid, fields.find("tries").and_then(|tries| tries.parse().ok())) {
        (None, ..) if to == ProcessState::Exited => {
            return Err(EventError::Missing { event: kind, key: "expected" });
        }
        (Some(expected), pid, _) => StateDetail::Exit { expected, pid: pid.unwrap_or(0) },
        (None, Some(pid), _) => StateDetail::Pid(pid),
        (None, None, Some(tries)) => StateDetail::Tries(tries),
        (None, None, None) => StateDetail::Nothing,
    };
    let from = fields.find("from_state").and_then(ProcessState::from_name);
    Ok(StateChange { process: fields.process()?, from, to, detail })
}

/// The tokens of a body's first line.
struct Fields<'b> {
    kind: EventKind,
    tokens: Vec<(&'b str, &'b str)>,
}

impl<'b> Fields<'b> {
    fn parse(kind: EventKind, line: &'b str) -> Result<Self, EventError> {
        let tokens = tokens(line).map_err(|source| EventError::Body { event: kind, source })?;
        Ok(Self { kind, tokens })
    }

    fn find(&self, wanted: &str) -> Option<&'b str> {
        self.tokens.iter().rfind(|(key, _)| *key == wanted).map(|(_, value)| *value)
    }

    fn need(&self, key: &'static str) -> Result<&'b str, EventError> {
        self.find(key).ok_or(EventError::Missing { event: self.kind, key })
    }

    fn number<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, EventError> {
        let value = self.need(key)?;
        value.parse().map_err(|_| EventError::Number { event: self.kind, key, value: value.to_owned() })
    }

    fn group(&self) -> Result<GroupName, EventError> {
        Ok(GroupName(self.need("groupname")?.to_owned()))
    }

    fn process(&self) -> Result<Rc<Namespec>, EventError> {
        Ok(Rc::new(Namespec::new(self.need("groupname")?, self.need("processname")?)))
    }

    fn output(&self, text: &str) -> Result<Rc<ProcessOutput>, EventError> {
        Ok(Rc::new(ProcessOutput { process: self.process()?, pid: self.number("pid")?, text: text.into() }))
    }
}

#[cfg(test)]
mod tests;
