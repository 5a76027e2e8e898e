//! From the bytes of the stream to the lines that are shown.

use ironlance_host::local_time::LocalClock;

use super::feed::{Feed, Message};
use super::line;
use crate::json::{self, Form};
use crate::screen::Terminal;

/// The type of the message that says that we were too slow.
const LOST: &str = "lost";

/// The lines of a stream so far.
pub struct Lines {
    form: Form,
    terminal: Terminal,
    clock: LocalClock,
    feed: Feed,
    is_lost: bool,
}

impl Lines {
    /// Lines in this form for this terminal.
    pub(crate) fn new(form: Form, terminal: Terminal) -> Self {
        Self { form, terminal, clock: LocalClock::new(), feed: Feed::default(), is_lost: false }
    }

    /// Lines for people, as they go into a pipe.
    pub fn in_a_pipe() -> Self {
        Self::new(Form::Text, Terminal { columns: 80, colour: false, is_terminal: false })
    }

    /// Takes the next piece, and hands over the line of each event that is complete, without its end.
    pub fn push(&mut self, piece: &[u8], on_line: &mut dyn FnMut(&str)) {
        let Self { form, terminal, clock, feed, is_lost } = self;
        feed.push(piece, &mut |message| match (message, *form) {
            (Message::Event { kind, .. }, _) if kind == LOST => *is_lost = true,
            (Message::Event { data, .. }, Form::Json) => on_line(&json::harmless(&data)),
            (Message::Event { kind, data }, Form::Text) => {
                on_line(&line::line(&kind, &data, clock, *terminal));
            }
            (Message::Oversized, Form::Json) => {}
            (Message::Oversized, Form::Text) => on_line("(an event that is too long to be shown)"),
        });
    }

    /// Whether supervisord has said that it gave us up.
    pub const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// How much is kept of what is not complete, in bytes.
    pub const fn kept(&self) -> usize {
        self.feed.kept()
    }
}
