//! What is scope before many processes are stopped at once: how many, and whether listeners, which raise the alarms, are
//! among them.

use askama::Template;

use super::context::PageContext;
use super::flash_message::FlashMessage;
use super::row::is_up;
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

/// The page that asks who has no script.
#[derive(Template)]
#[template(path = "confirmation.html")]
pub(super) struct ConfirmationPage<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: FlashMessage,
    words: String,
    /// What is done, as the button says it and as the form does.
    action: (&'static str, &'static str),
    group: Option<&'a str>,
}

impl<'a> ConfirmationPage<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, scope: ActionScope<'a>, bulk_action: BulkAction) -> Self {
        let messages = context.messages;
        Self {
            context,
            other: format!("./?lang={}", messages.other.0),
            message: FlashMessage::default(),
            words: (messages.confirm)(bulk_action, scope),
            action: match bulk_action {
                BulkAction::Stop => (messages.stop, "stop"),
                BulkAction::Restart => (messages.restart, "restart"),
                BulkAction::Clear => (messages.clear, "clear"),
            },
            group: scope.group,
        }
    }
}
