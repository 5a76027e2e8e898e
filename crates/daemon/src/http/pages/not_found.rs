//! What is shown where nothing is: the words, and a way back.

use askama::Template;

use super::context::PageContext;
use super::flash_message::FlashMessage;

/// An address may be so deep below ours, in slashes.
const DEEP: usize = 64;

#[derive(Template)]
#[template(path = "not_found.html")]
pub(super) struct NotFoundPage<'a> {
    context: &'a PageContext<'a>,
    other: String,
    message: FlashMessage,
    words: &'a str,
}

impl<'a> NotFoundPage<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, words: &'a str) -> Self {
        let other = format!("{}?lang={}", context.home(), context.messages.other.0);
        Self { context, other, message: FlashMessage::default(), words }
    }
}

/// The way from a path up to ours, wherever a proxy has put us.
pub(super) fn way_up(path: &str) -> String {
    "../".repeat(path.matches('/').count().saturating_sub(1).min(DEEP))
}
