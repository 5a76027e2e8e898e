//! `events [TYPES…]`: follows supervisord's event stream (`GET /events`).

mod lines;
pub mod sse;
mod text;

use std::cell::Cell;
use std::ops::ControlFlow;

use ironlance_net::{ExchangeError, HttpResponse, StreamEnd, stream};
use ironlance_rpc::CallError;

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};
use crate::output::style;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb, refuse};
pub use lines::EventLines;

pub(crate) const VERB: Verb = Verb {
    name: "events",
    help: &[
        "events\t\t\tShow what happens to processes and groups, as it happens. Ctrl-C to exit.",
        "events <type> <type>\tShow events of these types: PROCESS_STATE, PROCESS_LOG, TICK_60, EVENT (all), ...",
        "--json\t\t\tThe same as JSON, for scripts: an object a line",
    ],
    completes: Completion::EventTypes,
    run,
    ..Verb::OURS
};

/// The status of a stream.
const OK: u16 = 200;
/// The status for an unknown event type.
const BAD_REQUEST: u16 = 400;
/// The status of a supervisord without this page.
const NOT_FOUND: u16 = 404;
/// The most bytes of a refusal that are read.
const MAX_REFUSAL: usize = 1024;

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let mut arguments = words(rest);
    let form = json::take_json_option(&mut arguments);
    let types: Vec<&str> =
        arguments.iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).collect();
    let is_name = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if let Some(odd) = types.iter().find(|name| !is_name(name)) {
        let line = format!("Error: no event type {}", style::escape_controls(odd));
        refuse(session, &VERB, exit_status::INVALID_ARGS, &line);
        return Ok(());
    }
    if session.check_server()? {
        watch(session, &types.join(","), form)?;
    }
    Ok(())
}

fn watch(session: &mut Session, types: &str, form: OutputFormat) -> Result<(), CtlError> {
    let terminal = session.terminal();
    if terminal.is_terminal {
        session.print("==> Press Ctrl-C to exit <==");
        session.flush();
    }
    let (guard, stop) = session.catch_interrupts()?;
    let query = if types.is_empty() { String::new() } else { format!("?types={types}") };
    let request = session.client()?.get_request(format!("/events{query}"));
    let answered = Cell::new(0);
    let mut reader = EventReader { lines: EventLines::new(form, terminal), refusal: Vec::new() };
    let mut on_head = |head: &HttpResponse| {
        answered.set(head.status);
        ControlFlow::Continue(())
    };
    let mut on_body = |piece: &[u8]| match answered.get() {
        OK => reader.read(session, piece),
        _ => reader.read_refusal(piece),
    };
    let outcome = stream(&request, stop, &mut on_head, &mut on_body);
    drop(guard);
    reader.report_end(session, outcome, answered.get(), terminal)
}

/// The state of a stream: its events, or the text of a refusal.
struct EventReader {
    lines: EventLines,
    refusal: Vec<u8>,
}

impl EventReader {
    /// Prints the events of a piece at once.
    fn read(&mut self, session: &mut Session, piece: &[u8]) -> ControlFlow<()> {
        self.lines.push(piece, &mut |line| session.print(line));
        session.flush();
        if session.output_error().is_some() || self.lines.is_lost() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn read_refusal(&mut self, piece: &[u8]) -> ControlFlow<()> {
        let room = MAX_REFUSAL.saturating_sub(self.refusal.len());
        self.refusal.extend(piece.iter().take(room));
        if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Prints why the stream ended.
    fn report_end(
        &self,
        session: &mut Session,
        outcome: Result<StreamEnd, ExchangeError>,
        answered: u16,
        terminal: TerminalInfo,
    ) -> Result<(), CtlError> {
        match (outcome, answered) {
            (Ok(StreamEnd::Stopped), _) => {
                if terminal.is_terminal {
                    session.print("");
                }
            }
            (Err(error), 0) => return Err(CallError::from(error).into()),
            (Ok(StreamEnd::Ended(_)) | Err(_), OK) => {
                let words = if self.lines.is_lost() {
                    "events: lost some, as they came faster than they were read; ask again"
                } else {
                    "events: supervisord has ended the stream"
                };
                session.fail(exit_status::GENERIC, words);
            }
            (_, NOT_FOUND) => {
                let words = "This supervisord does not tell what happens; ironlance's does.";
                session.fail(exit_status::UNIMPLEMENTED_FEATURE, words);
            }
            (_, BAD_REQUEST) if !self.refusal.is_empty() => {
                let words = String::from_utf8_lossy(&self.refusal);
                // The body repeats the status for clients that show the body alone.
                let words = words.trim().trim_start_matches("400 Bad Request: ");
                session.fail(exit_status::INVALID_ARGS, &format!("Error: {}", style::escape_controls(words)));
            }
            (_, other) => {
                session
                    .fail(exit_status::GENERIC, &format!("events: supervisord answers with status {other}"));
            }
        }
        Ok(())
    }
}
