//! The header line of an event, `key:value` tokens in any order, to and from text.

use thiserror::Error;

/// A header longer than this is no header of any supervisord.
pub const MAX_HEADER: usize = 64 * 1024;

/// A body of more characters than this is refused; supervisord's largest are log chunks.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

/// What the header line of an event says.
///
/// Tokens other than `eventname` and `len` may be missing: only what a listener uses is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The event's type, such as `PROCESS_STATE_EXITED`.
    pub event_name: String,
    /// The length of the body in characters, not bytes (Python listeners count characters).
    pub len: usize,
    /// The supervisor's identifier (`server:`), empty when not given.
    pub server: String,
    /// The number of the event over the supervisor's life; none where it is no number.
    pub serial: Option<u64>,
    /// The listener pool the event was sent to, empty when not given.
    pub pool: String,
    /// The number of the event over the pool's life; none where it is no number.
    pub pool_serial: Option<u64>,
}

/// Why a line is not the header of an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// A word without a colon, or with two.
    #[error("cannot read the event header: {0:?} is not key:value")]
    Token(String),
    /// A token that must be there is not.
    #[error("cannot read the event header: no {0}: token")]
    Missing(&'static str),
    /// A token whose value is not a number in range.
    #[error("cannot read the event header: {key}:{value} is not a number up to {max}")]
    Number {
        /// The token's key.
        key: &'static str,
        /// What stood there instead.
        value: String,
        /// The largest number that would do.
        max: u64,
    },
}

impl Envelope {
    /// Reads a header line, without its newline.
    pub fn parse(line: &str) -> Result<Self, EnvelopeError> {
        let mut event_name = None;
        let mut len = None;
        let mut server = String::new();
        let mut pool = String::new();
        let mut serial = None;
        let mut pool_serial = None;
        for (key, value) in tokens(line)? {
            match key {
                "eventname" => event_name = Some(value.to_owned()),
                "len" => len = Some(number("len", value, MAX_BODY as u64)?),
                "server" => value.clone_into(&mut server),
                "pool" => value.clone_into(&mut pool),
                "serial" => serial = value.parse().ok(),
                "poolserial" => pool_serial = value.parse().ok(),
                _ => {}
            }
        }
        let len = len.ok_or(EnvelopeError::Missing("len"))?;
        Ok(Self {
            event_name: event_name.ok_or(EnvelopeError::Missing("eventname"))?,
            len: usize::try_from(len).expect("MAX_BODY fits in a usize"),
            server,
            serial,
            pool,
            pool_serial,
        })
    }
}

/// The `key:value` tokens of a header line, in order.
///
/// As in the original (`get_headers` in its childutils.py), a token holds exactly one colon.
pub fn tokens(line: &str) -> Result<Vec<(&str, &str)>, EnvelopeError> {
    line.split_whitespace()
        .map(|token| match token.split_once(':') {
            Some((key, value)) if !value.contains(':') => Ok((key, value)),
            _ => Err(EnvelopeError::Token(token.to_owned())),
        })
        .collect()
}

fn number(key: &'static str, value: &str, max: u64) -> Result<u64, EnvelopeError> {
    match value.parse() {
        Ok(number) if number <= max => Ok(number),
        _ => Err(EnvelopeError::Number { key, value: value.to_owned(), max }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_may_come_in_any_order() {
        let envelope = Envelope::parse(
            "len:54 eventname:PROCESS_STATE_EXITED poolserial:3 pool:mail serial:21 server:supervisor ver:3.0",
        );
        let expected = Envelope {
            event_name: "PROCESS_STATE_EXITED".into(),
            len: 54,
            server: "supervisor".into(),
            serial: Some(21),
            pool: "mail".into(),
            pool_serial: Some(3),
        };
        assert_eq!(envelope, Ok(expected));
    }

    #[test]
    fn a_header_without_a_length_is_refused() {
        assert_eq!(Envelope::parse("eventname:TICK_5"), Err(EnvelopeError::Missing("len")));
        let error = Envelope::parse("eventname:TICK_5 len:-1").unwrap_err();
        assert_eq!(error.to_string(), "cannot read the event header: len:-1 is not a number up to 67108864");
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in ".*") {
            let _ = Envelope::parse(&line);
        }
    }
}
