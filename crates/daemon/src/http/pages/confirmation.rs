//! The page that confirms an action on many processes: it says how many processes and listeners are affected.

use askama::Template;

use super::action_scope::{ActionScope, ConfirmedAction};
use super::context::PageContext;
use super::flash_message::FlashMessage;

/// Shown to browsers without script.
#[derive(Template)]
#[template(path = "confirmation.html")]
pub(super) struct ConfirmationPage<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: FlashMessage,
    words: String,
    /// The action: the label of its button and its value in the form.
    action: (&'static str, &'static str),
    group: Option<&'a str>,
}

impl<'a> ConfirmationPage<'a> {
    pub(super) fn new(
        context: &'a PageContext<'a>,
        scope: ActionScope<'a>,
        confirmed: ConfirmedAction,
    ) -> Self {
        let messages = context.messages;
        Self {
            context,
            other: format!("./?lang={}", messages.other.0),
            message: FlashMessage::default(),
            words: (messages.confirm)(confirmed, scope),
            action: match confirmed {
                ConfirmedAction::Stop => (messages.stop, "stop"),
                ConfirmedAction::Restart => (messages.restart, "restart"),
                ConfirmedAction::Clear => (messages.clear, "clear"),
            },
            group: scope.group,
        }
    }
}
