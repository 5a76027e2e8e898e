//! The page with status 404: a reason and a link to the index page.

use askama::Template;

use super::context::PageContext;
use super::flash_message::FlashMessage;

/// Deepest path that is considered, in slashes.
const MAX_DEPTH: usize = 64;

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
        let other = format!("{}?lang={}", context.index_url(), context.messages.other.0);
        Self { context, other, message: FlashMessage::default(), words }
    }
}

/// The relative path from a URL up to the pages, wherever a reverse proxy has put them.
pub(super) fn path_to_root(path: &str) -> String {
    "../".repeat(path.matches('/').count().saturating_sub(1).min(MAX_DEPTH))
}
