//! What an event says: its body, parsed by the event's type.

use thiserror::Error;

use crate::event::envelope::{Envelope, EnvelopeError, tokens};
use crate::process::name::Namespec;
use crate::process::state::ProcessState;

/// An event as a listener sees it. Types that no listener of ours acts on are `Other`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `PROCESS_STATE_*`: a process changed its state.
    Process(StateChange),
    /// `TICK_5`, `TICK_60`, `TICK_3600`: so many seconds have gone by.
    Tick(Tick),
    /// Anything else.
    Other,
}

/// The body of a `PROCESS_STATE_*` event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state that was entered; from the event's name.
    pub state: ProcessState,
    /// Which process.
    pub namespec: Namespec,
    /// The state that was left, as it stands in the body; empty where it does not.
    pub from_state: String,
    /// The process id as it stands in the body; empty where the type carries none.
    pub pid: String,
    /// `expected:1`: the exit status is one of the program's `exitcodes`.
    pub expected: bool,
}

/// A tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The period by the event's name: 5, 60 or 3600 seconds.
    pub seconds: u64,
}

/// Why a body does not fit its event's type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    /// The body's first line is not made of `key:value` tokens.
    #[error("cannot read the body of {event}: {source}")]
    Body {
        /// The event's name.
        event: String,
        /// What is wrong with the line.
        source: EnvelopeError,
    },
    /// A token is missing from the body.
    #[error("cannot read the body of {event}: no {key}: token")]
    Missing {
        /// The event's name.
        event: String,
        /// The token's key.
        key: &'static str,
    },
    /// `expected:` is neither 0 nor 1.
    #[error("cannot read the body of {event}: expected:{value} is neither 0 nor 1")]
    Expected {
        /// The event's name.
        event: String,
        /// What stood there instead.
        value: String,
    },
}

impl Event {
    /// Reads the body of the event that `envelope` announced.
    pub fn parse(envelope: &Envelope, body: &str) -> Result<Self, EventError> {
        let name = envelope.event_name.as_str();
        if let Some(state) = name.strip_prefix("PROCESS_STATE_") {
            return match ProcessState::from_name(state) {
                Some(state) => Ok(Self::Process(StateChange::parse(name, state, body)?)),
                None => Ok(Self::Other),
            };
        }
        match name.strip_prefix("TICK_").map(str::parse) {
            Some(Ok(seconds)) => Ok(Self::Tick(Tick { seconds })),
            _ => Ok(Self::Other),
        }
    }
}

impl StateChange {
    fn parse(event: &str, state: ProcessState, body: &str) -> Result<Self, EventError> {
        let line = body.lines().next().unwrap_or_default();
        let tokens = tokens(line).map_err(|source| EventError::Body { event: event.to_owned(), source })?;
        let find = |wanted: &str| {
            let found = tokens.iter().rfind(|(key, _)| *key == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let need =
            |key: &'static str| find(key).ok_or_else(|| EventError::Missing { event: event.to_owned(), key });
        let expected = match find("expected").as_deref() {
            Some("1") => true,
            Some("0") | None => false,
            Some(value) => {
                return Err(EventError::Expected { event: event.to_owned(), value: value.to_owned() });
            }
        };
        if state == ProcessState::Exited {
            need("expected")?;
        }
        Ok(Self {
            state,
            namespec: Namespec::new(need("groupname")?, need("processname")?),
            from_state: find("from_state").unwrap_or_default(),
            pid: find("pid").unwrap_or_default(),
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope(name: &str) -> Envelope {
        Envelope::parse(&format!("eventname:{name} len:0")).unwrap()
    }

    #[test]
    fn an_exit_names_the_process_its_pid_and_whether_it_was_expected() {
        let body = "processname:cat groupname:pets from_state:RUNNING expected:0 pid:2766";
        let event = Event::parse(&envelope("PROCESS_STATE_EXITED"), body);
        let expected = StateChange {
            state: ProcessState::Exited,
            namespec: Namespec::new("pets", "cat"),
            from_state: "RUNNING".into(),
            pid: "2766".into(),
            expected: false,
        };
        assert_eq!(event, Ok(Event::Process(expected)));
    }

    #[test]
    fn an_exit_that_does_not_say_whether_it_was_expected_is_refused() {
        let body = "processname:cat groupname:pets from_state:RUNNING pid:2766";
        let error = Event::parse(&envelope("PROCESS_STATE_EXITED"), body).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the body of PROCESS_STATE_EXITED: no expected: token");
    }

    #[test]
    fn ticks_carry_their_period_and_other_events_are_let_through() {
        let tick = Event::parse(&envelope("TICK_60"), "when:1");
        assert_eq!(tick, Ok(Event::Tick(Tick { seconds: 60 })));
        let log = Event::parse(&envelope("PROCESS_LOG_STDERR"), "processname:a:b\n");
        assert_eq!(log, Ok(Event::Other));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in "(?s).*") {
            let _ = Event::parse(&envelope("PROCESS_STATE_EXITED"), &body);
        }
    }
}
