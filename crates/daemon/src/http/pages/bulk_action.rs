//! Actions on many processes, which need a confirmation, and how many processes and listeners they would affect.

use super::condition::is_up;
use crate::view::{DaemonView, ProgramView};

/// What would end many processes, or much of what is known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BulkAction {
    Stop,
    /// It ends those that run, and starts the others as well.
    Restart,
    /// It ends none, but what they wrote is gone.
    Clear,
}

/// Who it would be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ActionScope<'a> {
    /// The group; nothing for all.
    pub(super) group: Option<&'a str>,
    pub(super) processes: usize,
    /// So many of them are listeners.
    pub(super) listeners: usize,
}

impl<'a> ActionScope<'a> {
    /// Who of a group, or of all; nothing where nothing has to be scope: it would end one process or none.
    pub(super) fn about(view: &DaemonView, group: Option<&'a str>, bulk_action: BulkAction) -> Option<Self> {
        let is_member = |program: &&ProgramView| group.is_none_or(|group| program.namespec.group.0 == group);
        let members: Vec<_> = view.programs.iter().filter(is_member).collect();
        let is_meant = |program: &&&ProgramView| match bulk_action {
            BulkAction::Stop => is_up(program.state),
            BulkAction::Restart => true,
            BulkAction::Clear => program.has_stdout || program.has_stderr,
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
