//! What the state of a program means for a page: whether it is up, has failed, or is meant by a name.

use ironlance_core::ProcessState;

use crate::view::ProgramView;

/// Marks the row of a program that exited unexpectedly; the filter finds it by this word.
pub(super) const UNEXPECTED: &str = "unexpected";

/// Whether `NAME` or `GROUP:NAME` is this process.
pub(super) fn is_named(program: &ProgramView, name: &str) -> bool {
    program.namespec.qualified() == name || program.namespec.to_string() == name
}

/// Whether its last exit was unexpected.
pub(super) fn has_failed(program: &ProgramView) -> bool {
    program.state == ProcessState::Exited && program.end.as_ref().is_some_and(|end| !end.expected)
}

/// Whether it can be stopped (states.py, RUNNING_STATES).
pub(super) fn is_up(state: ProcessState) -> bool {
    matches!(state, ProcessState::Running | ProcessState::Starting | ProcessState::Backoff)
}
