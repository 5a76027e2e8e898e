//! The page that confirms an action on many processes: it says how many processes and listeners are affected.

use askama::Template;

use super::action_scope::{ActionScope, FormAction};
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
    /// The label of the button.
    label: &'static str,
    action: &'static str,
    group: Option<&'a str>,
}

impl<'a> ConfirmationPage<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, scope: ActionScope<'a>, action: FormAction) -> Self {
        let messages = context.messages;
        Self {
            context,
            other: format!("./?lang={}", messages.other.0),
            message: FlashMessage::default(),
            words: (messages.confirm)(action, scope),
            label: match action {
                FormAction::Start => messages.start,
                FormAction::Stop => messages.stop,
                FormAction::Restart => messages.restart,
                FormAction::Clear => messages.clear,
            },
            action: action.name(),
            group: scope.group,
        }
    }
}
