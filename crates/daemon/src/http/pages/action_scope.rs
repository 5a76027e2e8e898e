//! What the buttons do: [`FormAction`], and the [`ActionScope`] that is confirmed if it affects many processes.

use super::condition::is_up;
use crate::view::{DaemonView, ProgramView};

/// What the button of a form does. All but a start need a confirmation if they affect many processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormAction {
    Start,
    Stop,
    /// Stops what runs and starts all.
    Restart,
    /// Stops nothing, but deletes output.
    Clear,
}

impl FormAction {
    /// Its value in forms.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Clear => "clear",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Start, Self::Stop, Self::Restart, Self::Clear].into_iter().find(|known| known.name() == name)
    }
}

/// What the action would affect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ActionScope<'a> {
    /// The group; `None` for all.
    pub(super) group: Option<&'a str>,
    pub(super) processes: usize,
    /// How many of the processes are listeners.
    pub(super) listeners: usize,
}

impl<'a> ActionScope<'a> {
    /// The processes affected; `None` if no confirmation is needed because it would affect at most one process.
    pub(super) fn about(view: &DaemonView, group: Option<&'a str>, action: FormAction) -> Option<Self> {
        let is_member = |program: &&ProgramView| group.is_none_or(|group| program.namespec.group.0 == group);
        let members: Vec<_> = view.programs.iter().filter(is_member).collect();
        let is_meant = |program: &&&ProgramView| match action {
            FormAction::Start => false,
            FormAction::Stop => is_up(program.state),
            FormAction::Restart => true,
            FormAction::Clear => program.has_stdout || program.has_stderr,
        };
        let (mut processes, mut listeners) = (0, 0);
        for program in members.iter().filter(is_meant) {
            processes += 1;
            listeners += usize::from(program.is_listener);
        }
        let is_small = group.is_some() && members.len() < 2;
        (processes > 0 && !is_small).then_some(Self { group, processes, listeners })
    }
}
