//! The listener's side of the event protocol: [`serve`] writes READY, reads an event, writes RESULT, and repeats.
//! Called by the commands, whose [`EventHandler`] gets the events.
//!
//! ```text
//!          READY              header and body           RESULT OK
//! start ─────────▶ waiting ─────────────────▶ handling ─────────▶ (start)
//!                     │ end of input
//!                     ▼
//!                   ended, status 0
//! ```

use std::io::{self, BufRead, Write};

use ironlance_core::Envelope;
use ironlance_core::event::envelope::{EnvelopeError, MAX_HEADER};
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{StateChange, wire};
use ironlance_core::listener::protocol::{ListenerResult, READY};
use thiserror::Error;

/// Bytes of a body that are read at a time.
const READ_SIZE: usize = 64 * 1024;

/// What a command does with its events.
pub(crate) trait EventHandler {
    /// Whether the command uses events of this type; the bodies of other types are not checked.
    fn wants(&self, event_name: &str) -> bool;

    /// Handles one event; returns when its alert is stored safely.
    fn handle(&mut self, received: &ReceivedEvent);

    /// The RESULT of the last event has been written.
    fn answered(&mut self);

    /// The input has ended; no further event will come.
    fn ended(&mut self);
}

/// An event as received.
#[derive(Debug)]
pub(crate) struct ReceivedEvent {
    /// The parsed header.
    pub envelope: Envelope,
    /// The parsed body of a state change; `None` for other events.
    pub change: Option<StateChange>,
    /// The header line as received.
    pub header: String,
    /// The body as received.
    pub body: String,
}

impl ReceivedEvent {
    /// Header and body, which are the same when supervisord sends the event again.
    pub(crate) fn key(&self) -> String {
        format!("{}\n{}", self.header.trim_end(), self.body)
    }
}

/// Why a listener must end.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// Reading or writing failed: supervisord is gone, or never started this process.
    #[error("cannot talk to the supervisor: {0}")]
    Io(#[from] io::Error),
    /// A header is malformed, so the start of the next event cannot be found.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// A header line without an end.
    #[error("cannot read the event header: longer than {MAX_HEADER} bytes")]
    HeaderTooLong,
    /// The input ended within a header.
    #[error("cannot read the event: the input ended within it")]
    Cut,
}

/// Reads events from `input` and answers on `output` until the input ends.
///
/// A body that does not fit its event's type is reported on stderr and answered with OK, as a second delivery would
/// bring the same body. A body that the end of the input cuts short is used as it is.
pub(crate) fn serve(
    mut input: impl BufRead,
    mut output: impl Write,
    handler: &mut dyn EventHandler,
) -> Result<(), ServeError> {
    loop {
        output.write_all(READY)?;
        output.flush()?;
        let Some(header) = read_header(&mut input)? else {
            handler.ended();
            return Ok(());
        };
        let envelope = Envelope::parse(&header)?;
        let body = read_characters(&mut input, envelope.len)?;
        let kind = EventKind::from_name(&envelope.event_name).filter(|kind| kind.state().is_some());
        match kind.map(|kind| wire::decode_state(kind, &body)).transpose() {
            Ok(change) => handler.handle(&ReceivedEvent { envelope, change, header, body }),
            Err(_) if !handler.wants(&envelope.event_name) => {}
            Err(error) => crate::write_log(&format!("{error}\n")),
        }
        output.write_all(ListenerResult::Ok.bytes())?;
        output.flush()?;
        handler.answered();
    }
}

/// The next line without its newline; `None` at the end of the input.
fn read_header(input: &mut impl BufRead) -> Result<Option<String>, ServeError> {
    let mut line = Vec::new();
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err(ServeError::Cut) };
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&chunk[..end.unwrap_or(chunk.len())]);
        let used = end.map_or(chunk.len(), |end| end + 1);
        input.consume(used);
        if line.len() > MAX_HEADER {
            return Err(ServeError::HeaderTooLong);
        }
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// Reads `count` characters of UTF-8, or up to the end of the input; a byte that is not UTF-8 counts as one.
fn read_characters(input: &mut impl BufRead, count: usize) -> Result<String, ServeError> {
    let mut bytes = Vec::new();
    let mut text = String::new();
    let mut missing = count;
    while missing > 0 {
        // A character has at least one byte, so reading as many bytes as characters never reads too much.
        let start = bytes.len();
        bytes.resize(start + missing.min(READ_SIZE), 0);
        let got = input.read(&mut bytes[start..])?;
        bytes.truncate(start + got);
        if got == 0 {
            break;
        }
        let taken = decode(&mut bytes, &mut text);
        missing = missing.saturating_sub(taken);
    }
    // A part of a character is left over only if the sender counted wrong.
    while !bytes.is_empty() && std::str::from_utf8(&bytes).is_err_and(|error| error.error_len().is_none()) {
        let mut next = [0];
        if input.read(&mut next)? == 0 {
            break;
        }
        bytes.push(next[0]);
        decode(&mut bytes, &mut text);
    }
    Ok(text)
}

/// Moves every complete character from `bytes` to `text` and counts them; an unfinished one stays in `bytes`.
fn decode(bytes: &mut Vec<u8>, text: &mut String) -> usize {
    let (mut count, mut unfinished) = (0, Vec::new());
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        count += chunk.valid().chars().count();
        let bad = chunk.invalid();
        let may_go_on = || std::str::from_utf8(bad).is_err_and(|error| error.error_len().is_none());
        if chunks.peek().is_none() && may_go_on() {
            unfinished = bad.to_vec();
        } else if !bad.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            count += bad.len();
        }
    }
    *bytes = unfinished;
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen {
        changes: Vec<Option<StateChange>>,
        keys: Vec<String>,
        answers: usize,
        has_ended: bool,
    }

    impl EventHandler for Seen {
        fn wants(&self, event_name: &str) -> bool {
            event_name == "PROCESS_STATE_EXITED"
        }
        fn handle(&mut self, received: &ReceivedEvent) {
            self.changes.push(received.change.clone());
            self.keys.push(received.key());
        }
        fn answered(&mut self) {
            self.answers += 1;
        }
        fn ended(&mut self) {
            self.has_ended = true;
        }
    }

    /// Gives one byte at a time, as a pipe may.
    struct Dripping<'a>(&'a [u8]);

    impl io::Read for Dripping<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = usize::from(!self.0.is_empty() && !buf.is_empty());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn run(input: &[u8]) -> (Result<(), ServeError>, Vec<u8>, Seen) {
        let mut output = Vec::new();
        let mut seen = Seen::default();
        let result = serve(io::BufReader::with_capacity(1, Dripping(input)), &mut output, &mut seen);
        (result, output, seen)
    }

    #[test]
    fn every_event_is_answered_and_the_end_of_input_ends_the_listener() {
        let (result, output, seen) = run(b"eventname:TICK_5 len:6\nwhen:5eventname:TICK_60 len:7\nwhen:60");
        assert!(result.is_ok());
        assert_eq!(output, b"READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n");
        assert_eq!(seen.changes, [None, None]);
        assert!(seen.answers == 2 && seen.has_ended);
        assert_eq!(seen.keys[0], "eventname:TICK_5 len:6\nwhen:5");
    }

    #[test]
    fn the_length_counts_characters_and_not_bytes() {
        let body = "Ørésund €𝄞";
        let stream = format!("eventname:X len:{}\n{body}eventname:TICK_5 len:0\n", body.chars().count());
        let (result, _, seen) = run(stream.as_bytes());
        assert!(result.is_ok());
        assert_eq!(seen.keys[0], format!("eventname:X len:10\n{body}"));
        assert_eq!(seen.changes.len(), 2);
    }

    #[test]
    fn bytes_that_are_not_utf8_count_one_each() {
        let (result, _, seen) = run(b"eventname:X len:4\na\xff\xfebeventname:TICK_5 len:0\n");
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(seen.changes.len(), 2);
    }

    #[test]
    fn only_the_end_of_what_was_read_may_be_an_unfinished_character() {
        let (mut bytes, mut text) = (b"\xe2\x82A\xe2\x82".to_vec(), String::new());
        assert_eq!(decode(&mut bytes, &mut text), 3);
        assert_eq!((bytes.as_slice(), text.as_str()), (b"\xe2\x82".as_slice(), "\u{fffd}A"));
    }

    #[test]
    fn a_body_that_does_not_fit_is_answered_and_passed_over() {
        let (result, output, seen) =
            run(b"eventname:PROCESS_STATE_EXITED len:3\nxyzeventname:TICK_5 len:0\n");
        assert!(result.is_ok());
        assert_eq!(output, b"READY\nRESULT 2\nOKREADY\nRESULT 2\nOKREADY\n");
        assert_eq!(seen.changes.len(), 1);
    }

    #[test]
    fn a_body_that_is_shorter_than_its_length_is_taken_when_the_input_ends() {
        let (result, output, seen) = run(b"eventname:TICK_5 len:20\nwhen:5\xc3");
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(output, b"READY\nRESULT 2\nOKREADY\n");
        assert_eq!(seen.keys[0], "eventname:TICK_5 len:20\nwhen:5");
        assert!(seen.has_ended);
    }

    #[test]
    fn garbage_and_cut_events_end_the_listener_with_a_reason() {
        assert!(run(b"garbage\n").0.unwrap_err().to_string().contains("\"garbage\" is not key:value"));
        assert!(matches!(run(b"eventname:X len").0, Err(ServeError::Cut)));
        assert!(matches!(run(&vec![b'x'; MAX_HEADER + 2]).0, Err(ServeError::HeaderTooLong)));
    }
}
