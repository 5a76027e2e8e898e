//! What is scope before many processes are stopped at once: how many, and whether listeners, which raise the alarms, are
//! among them.

use askama::Template;

use super::bulk_action::{ActionScope, BulkAction};
use super::context::PageContext;
use super::flash_message::FlashMessage;

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
