//! Events on standard input: [`EventPipe`] takes bytes as they come, and gives whole events. The wiring reads and answers.

use ironlance_core::event::envelope::{Envelope, EnvelopeError, MAX_HEADER};
use thiserror::Error;

/// Why the input cannot be understood: the start of the next event is not known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventPipeError {
    /// A header is malformed.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// A header line without an end.
    #[error("cannot read the event header: longer than {MAX_HEADER} bytes")]
    HeaderTooLong,
}

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipedEvent {
    /// The header.
    pub envelope: Envelope,
    /// The body.
    pub body: String,
}

/// Bytes that came and are no whole event yet.
#[derive(Clone, Debug, Default)]
pub struct EventPipe {
    bytes: Vec<u8>,
}

impl EventPipe {
    /// Takes bytes that came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, if it is whole.
    pub fn next_event(&mut self) -> Result<Option<PipedEvent>, EventPipeError> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            let is_too_long = self.bytes.len() > MAX_HEADER;
            return if is_too_long { Err(EventPipeError::HeaderTooLong) } else { Ok(None) };
        };
        if end > MAX_HEADER {
            return Err(EventPipeError::HeaderTooLong);
        }
        let envelope = Envelope::parse(&String::from_utf8_lossy(&self.bytes[..end]))?;
        let start = end + 1;
        let Some(length) = length_of_characters(&self.bytes[start..], envelope.len) else { return Ok(None) };
        let body = String::from_utf8_lossy(&self.bytes[start..start + length]).into_owned();
        self.bytes.drain(..start + length);
        Ok(Some(PipedEvent { envelope, body }))
    }
}

/// The bytes that the first `count` characters of UTF-8 take, if they are all there; a byte that is not UTF-8 counts as one.
fn length_of_characters(bytes: &[u8], count: usize) -> Option<usize> {
    let mut length = 0;
    let mut missing = count;
    while missing > 0 {
        let rest = &bytes[length..];
        // A character has four bytes at most: no more need be looked at.
        let rest = &rest[..rest.len().min(missing.saturating_mul(4))];
        let (valid, broken) = match std::str::from_utf8(rest) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, _) = rest.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), Some(error.error_len()))
            }
        };
        match valid.char_indices().nth(missing) {
            Some((at, _)) => return Some(length + at),
            None => (length, missing) = (length + valid.len(), missing - valid.chars().count()),
        }
        match broken {
            Some(Some(odd)) if missing > 0 => {
                (length, missing) = (length + odd, missing.saturating_sub(odd));
            }
            // The end of what came, or of the character that was begun.
            Some(None) if missing > 0 => return None,
            None if missing > 0 => return None,
            _ => {}
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(name: &str, body: &str) -> String {
        format!("eventname:{name} serial:3 len:{}\n{body}", body.chars().count())
    }

    #[test]
    fn events_are_taken_out_one_by_one() {
        let mut pipe = EventPipe::default();
        pipe.feed((event("TICK_5", "when:5") + &event("TICK_60", "") + "eventname:X len:2\na").as_bytes());
        let mut names = Vec::new();
        while let Some(event) = pipe.next_event().unwrap() {
            names.push((event.envelope.event_name, event.body));
        }
        assert_eq!(names, [("TICK_5".into(), "when:5".into()), ("TICK_60".into(), String::new())]);
        pipe.feed(b"b");
        assert_eq!(pipe.next_event().unwrap().unwrap().body, "ab");
    }

    #[test]
    fn what_is_no_header_is_an_error_and_a_line_without_an_end_is_too_long() {
        let mut pipe = EventPipe::default();
        pipe.feed(b"garbage\n");
        assert!(matches!(pipe.next_event(), Err(EventPipeError::Envelope(_))));
        let mut pipe = EventPipe::default();
        pipe.feed(&vec![b'x'; MAX_HEADER + 1]);
        assert_eq!(pipe.next_event(), Err(EventPipeError::HeaderTooLong));
    }

    #[test]
    fn bytes_that_are_not_utf8_count_one_each() {
        let mut pipe = EventPipe::default();
        pipe.feed(b"eventname:X len:4\na\xff\xfebeventname:TICK_5 len:0\n");
        assert_eq!(pipe.next_event().unwrap().unwrap().body, "a\u{fffd}\u{fffd}b");
        assert_eq!(pipe.next_event().unwrap().unwrap().envelope.event_name, "TICK_5");
    }

    proptest! {
        #[test]
        fn events_come_out_however_the_bytes_are_cut(
            bodies in prop::collection::vec("\\PC{0,12}", 1..6),
            size in 1_usize..9,
        ) {
            let bytes: String = bodies.iter().map(|body| event("X", body)).collect();
            let (mut pipe, mut found) = (EventPipe::default(), Vec::new());
            for piece in bytes.as_bytes().chunks(size) {
                pipe.feed(piece);
                while let Some(event) = pipe.next_event().unwrap() {
                    found.push(event.body);
                }
            }
            prop_assert_eq!(found, bodies);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut pipe = EventPipe::default();
            pipe.feed(&bytes);
            while let Ok(Some(_)) = pipe.next_event() {}
        }
    }
}
