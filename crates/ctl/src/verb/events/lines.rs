//! Conversion of the event stream's bytes to output lines: [`EventLines`].

use ironlance_host::local_time::LocalClock;

use super::sse::{SseMessage, SseParser};
use super::text;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};

/// The type of the message that reports lost events.
const LOST: &str = "lost";

/// A converter from a stream to lines.
pub struct EventLines {
    form: OutputFormat,
    terminal: TerminalInfo,
    clock: LocalClock,
    parser: SseParser,
    has_lost_events: bool,
}

impl EventLines {
    /// A converter to this format and terminal.
    pub(crate) fn new(form: OutputFormat, terminal: TerminalInfo) -> Self {
        Self {
            form,
            terminal,
            clock: LocalClock::new(),
            parser: SseParser::default(),
            has_lost_events: false,
        }
    }

    /// A converter to text for a pipe.
    pub fn for_pipe() -> Self {
        Self::new(OutputFormat::Text, TerminalInfo { columns: 80, colour: false, is_terminal: false })
    }

    /// Converts the next piece and passes the line of each complete event to `on_line`, without a newline.
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

    /// Whether supervisord has reported lost events.
    pub const fn is_lost(&self) -> bool {
        self.has_lost_events
    }

    /// The bytes that are buffered of an incomplete message.
    pub const fn buffered(&self) -> usize {
        self.parser.buffered()
    }
}
