//! The states of a process and their codes, as XML-RPC and the event names carry them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a process; codes and names are Supervisor's (its states.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProcessState {
    /// Not running, by request or because it was never started.
    Stopped,
    /// Spawned, and not yet up for `startsecs`.
    Starting,
    /// Up.
    Running,
    /// Ended before `startsecs`; another start is due after a pause.
    Backoff,
    /// Told to stop, and not yet gone.
    Stopping,
    /// Ended after it had been running.
    Exited,
    /// Could not be started; it is not tried again.
    Fatal,
    /// The supervisor itself made an error.
    Unknown,
}

/// Code and name of each state, in the order of [`ProcessState::ALL`].
const TABLE: [(i64, &str); 8] = [
    (0, "STOPPED"),
    (10, "STARTING"),
    (20, "RUNNING"),
    (30, "BACKOFF"),
    (40, "STOPPING"),
    (100, "EXITED"),
    (200, "FATAL"),
    (1000, "UNKNOWN"),
];

impl ProcessState {
    /// Every state, in the order of their codes.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Exited,
        Self::Fatal,
        Self::Unknown,
    ];

    /// The number that `supervisor.getProcessInfo` gives as `state`.
    pub const fn code(self) -> i64 {
        TABLE[self as usize].0
    }

    /// The state of the given code, if there is one.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The name in upper case, as in `PROCESS_STATE_RUNNING` and `from_state:RUNNING`.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The state of the given upper-case name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_lead_back_to_their_state() {
        for state in ProcessState::ALL {
            assert_eq!(ProcessState::from_code(state.code()), Some(state));
            assert_eq!(ProcessState::from_name(state.name()), Some(state));
        }
        assert_eq!(ProcessState::from_code(11), None);
        assert_eq!(ProcessState::from_name("running"), None);
    }
}
