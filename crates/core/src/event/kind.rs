//! The types of events, and which is a kind of which.

use std::fmt;

use crate::process::state::ProcessState;

/// The type of an event. A type that has types below it is never sent itself: listeners subscribe to it
/// (EventTypes of events.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// Every event.
    Event,
    /// A process changed its state.
    ProcessState,
    /// It is stopped.
    ProcessStateStopped,
    /// It ended after it had been running.
    ProcessStateExited,
    /// It is being started.
    ProcessStateStarting,
    /// A stop was requested.
    ProcessStateStopping,
    /// It ended too early or could not be started; another try follows.
    ProcessStateBackoff,
    /// It could not be started, and is not tried again.
    ProcessStateFatal,
    /// It is up.
    ProcessStateRunning,
    /// It could not be killed.
    ProcessStateUnknown,
    /// A process wrote something between the communication tags.
    ProcessCommunication,
    /// On its stdout.
    ProcessCommunicationStdout,
    /// On its stderr.
    ProcessCommunicationStderr,
    /// A process wrote something.
    ProcessLog,
    /// On its stdout.
    ProcessLogStdout,
    /// On its stderr.
    ProcessLogStderr,
    /// A client sent an event by `supervisor.sendRemoteCommEvent`.
    RemoteCommunication,
    /// The supervisor itself changed its state.
    SupervisorStateChange,
    /// It has started.
    SupervisorStateChangeRunning,
    /// It is about to stop or restart.
    SupervisorStateChangeStopping,
    /// Time went by.
    Tick,
    /// Five seconds.
    Tick5,
    /// A minute.
    Tick60,
    /// An hour.
    Tick3600,
    /// The set of groups changed.
    ProcessGroup,
    /// A group is there that was not.
    ProcessGroupAdded,
    /// A group is gone.
    ProcessGroupRemoved,
}

/// One line for each type: itself, its name, its parent.
const TABLE: [(EventKind, &str, Option<EventKind>); 27] = {
    use EventKind as K;
    [
        (K::Event, "EVENT", None),
        (K::ProcessState, "PROCESS_STATE", Some(K::Event)),
        (K::ProcessStateStopped, "PROCESS_STATE_STOPPED", Some(K::ProcessState)),
        (K::ProcessStateExited, "PROCESS_STATE_EXITED", Some(K::ProcessState)),
        (K::ProcessStateStarting, "PROCESS_STATE_STARTING", Some(K::ProcessState)),
        (K::ProcessStateStopping, "PROCESS_STATE_STOPPING", Some(K::ProcessState)),
        (K::ProcessStateBackoff, "PROCESS_STATE_BACKOFF", Some(K::ProcessState)),
        (K::ProcessStateFatal, "PROCESS_STATE_FATAL", Some(K::ProcessState)),
        (K::ProcessStateRunning, "PROCESS_STATE_RUNNING", Some(K::ProcessState)),
        (K::ProcessStateUnknown, "PROCESS_STATE_UNKNOWN", Some(K::ProcessState)),
        (K::ProcessCommunication, "PROCESS_COMMUNICATION", Some(K::Event)),
        (K::ProcessCommunicationStdout, "PROCESS_COMMUNICATION_STDOUT", Some(K::ProcessCommunication)),
        (K::ProcessCommunicationStderr, "PROCESS_COMMUNICATION_STDERR", Some(K::ProcessCommunication)),
        (K::ProcessLog, "PROCESS_LOG", Some(K::Event)),
        (K::ProcessLogStdout, "PROCESS_LOG_STDOUT", Some(K::ProcessLog)),
        (K::ProcessLogStderr, "PROCESS_LOG_STDERR", Some(K::ProcessLog)),
        (K::RemoteCommunication, "REMOTE_COMMUNICATION", Some(K::Event)),
        (K::SupervisorStateChange, "SUPERVISOR_STATE_CHANGE", Some(K::Event)),
        (K::SupervisorStateChangeRunning, "SUPERVISOR_STATE_CHANGE_RUNNING", Some(K::SupervisorStateChange)),
        (
            K::SupervisorStateChangeStopping,
            "SUPERVISOR_STATE_CHANGE_STOPPING",
            Some(K::SupervisorStateChange),
        ),
        (K::Tick, "TICK", Some(K::Event)),
        (K::Tick5, "TICK_5", Some(K::Tick)),
        (K::Tick60, "TICK_60", Some(K::Tick)),
        (K::Tick3600, "TICK_3600", Some(K::Tick)),
        (K::ProcessGroup, "PROCESS_GROUP", Some(K::Event)),
        (K::ProcessGroupAdded, "PROCESS_GROUP_ADDED", Some(K::ProcessGroup)),
        (K::ProcessGroupRemoved, "PROCESS_GROUP_REMOVED", Some(K::ProcessGroup)),
    ]
};

impl EventKind {
    /// Every type, a parent before its children.
    pub const ALL: [Self; 27] = {
        let mut all = [Self::Event; 27];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].0;
            at += 1;
        }
        all
    };

    /// The types, with all below them, that people want to see unless they ask for others: no output and no ticks.
    pub const NOTABLE: [Self; 4] =
        [Self::ProcessState, Self::ProcessGroup, Self::SupervisorStateChange, Self::RemoteCommunication];

    /// The name in headers and in `events=`.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The type of that upper-case name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The type this one is a kind of; `None` for [`EventKind::Event`].
    pub const fn parent(self) -> Option<Self> {
        TABLE[self as usize].2
    }

    /// Whether it is one of `ancestors` or a kind of one.
    pub fn is_any_of(self, ancestors: &[Self]) -> bool {
        ancestors.iter().any(|ancestor| self.is_a(*ancestor))
    }

    /// Whether it is `ancestor` or a kind of it.
    pub fn is_a(self, ancestor: Self) -> bool {
        let mut kind = Some(self);
        while let Some(at) = kind {
            if at == ancestor {
                return true;
            }
            kind = at.parent();
        }
        false
    }

    /// The state that a process entered, by the type of the event that says so.
    pub fn state(self) -> Option<ProcessState> {
        ProcessState::ALL.into_iter().find(|state| Self::of_state(*state) == self)
    }

    /// The type that says a process entered `state`.
    pub const fn of_state(state: ProcessState) -> Self {
        match state {
            ProcessState::Stopped => Self::ProcessStateStopped,
            ProcessState::Starting => Self::ProcessStateStarting,
            ProcessState::Running => Self::ProcessStateRunning,
            ProcessState::Backoff => Self::ProcessStateBackoff,
            ProcessState::Stopping => Self::ProcessStateStopping,
            ProcessState::Exited => Self::ProcessStateExited,
            ProcessState::Fatal => Self::ProcessStateFatal,
            ProcessState::Unknown => Self::ProcessStateUnknown,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_types_and_names_lead_back() {
        for (at, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(EventKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventKind::from_name("tick"), None);
        assert_eq!(EventKind::from_name(""), None);
    }

    #[test]
    fn a_name_begins_with_the_name_of_its_parent_and_everything_is_an_event() {
        for kind in EventKind::ALL {
            assert!(kind.is_a(EventKind::Event) && kind.is_a(kind));
            if let Some(parent) = kind.parent().filter(|parent| *parent != EventKind::Event) {
                assert!(kind.name().starts_with(parent.name()), "{kind}");
                assert!(kind.is_a(parent) && !parent.is_a(kind));
            }
        }
        assert!(!EventKind::Tick5.is_a(EventKind::ProcessState));
    }

    #[test]
    fn every_process_state_has_the_event_of_its_name() {
        for state in ProcessState::ALL {
            assert_eq!(EventKind::of_state(state).name(), format!("PROCESS_STATE_{state}"));
            assert_eq!(EventKind::of_state(state).state(), Some(state));
        }
    }
}
