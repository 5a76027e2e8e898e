//! From the bytes of the stream to the lines that are shown.

use ironlance_host::local_time::LocalClock;

use super::sse::{SseMessage, SseParser};
use super::text;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};

/// The type of the message that says that we were too slow.
const LOST: &str = "lost";

/// The lines of a stream so far.
pub struct EventLines {
    form: OutputFormat,
    terminal: TerminalInfo,
    clock: LocalClock,
    parser: SseParser,
    has_lost_events: bool,
}

impl EventLines {
    /// Lines in this form for this terminal.
    pub(crate) fn new(form: OutputFormat, terminal: TerminalInfo) -> Self {
        Self {
            form,
            terminal,
            clock: LocalClock::new(),
            parser: SseParser::default(),
            has_lost_events: false,
        }
    }

    /// Lines for people, as they go into a pipe.
    pub fn for_pipe() -> Self {
        Self::new(OutputFormat::Text, TerminalInfo { columns: 80, colour: false, is_terminal: false })
    }

    /// Takes the next piece, and hands over the line of each event that is complete, without its end.
    pub fn push(&mut self, piece: &[u8], on_line: &mut dyn FnMut(&str)) {
        let Self { form, terminal, clock, parser: feed, has_lost_events: is_lost } = self;
        feed.push(piece, &mut |message| match (message, *form) {
            (SseMessage::Event { kind, .. }, _) if kind == LOST => *is_lost = true,
            (SseMessage::Event { data, .. }, OutputFormat::Json) => {
                on_line(&json::escape_controls_in_json(&data));
            }
            (SseMessage::Event { kind, data }, OutputFormat::Text) => {
                on_line(&text::line(&kind, &data, clock, *terminal));
            }
            (SseMessage::Oversized, OutputFormat::Json) => {}
            (SseMessage::Oversized, OutputFormat::Text) => on_line("(an event that is too long to be shown)"),
        });
    }

    /// Whether supervisord has said that it gave us up.
    pub const fn is_lost(&self) -> bool {
        self.has_lost_events
    }

    /// How much is kept of what is not complete, in bytes.
    pub const fn buffered(&self) -> usize {
        self.parser.buffered()
    }
}
