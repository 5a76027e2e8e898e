//! What is shown where nothing is: the words, and a way back.

use askama::Template;

use super::frame::Frame;
use super::message::Message;

/// An address may be so deep below ours, in slashes.
const DEEP: usize = 64;

#[derive(Template)]
#[template(path = "lost.html")]
pub(super) struct Lost<'a> {
    frame: &'a Frame<'a>,
    other: String,
    message: Message,
    words: &'a str,
}

impl<'a> Lost<'a> {
    pub(super) fn new(frame: &'a Frame<'a>, words: &'a str) -> Self {
        let other = format!("{}?lang={}", frame.home(), frame.words.other.0);
        Self { frame, other, message: Message::default(), words }
    }
}

/// The way from a path up to ours, wherever a proxy has put us.
pub(super) fn way_up(path: &str) -> String {
    "../".repeat(path.matches('/').count().saturating_sub(1).min(DEEP))
}
