//! The event listener protocol on a listener's stdout, READY and RESULT: [`ProtocolParser`] reads it for a pool, [`READY`] and
//! [`ListenerResult`] are what our own listeners write.
//!
//! ```text
//!                    READY                 event sent
//!   ACKNOWLEDGED ──────────────▶ READY ────────────────▶ BUSY ──▶ UNKNOWN: it is recycled
//!        ▲                                                 │  READY without a RESULT, too much
//!        │               RESULT n, and n bytes             │  stray output, a closed pipe, or
//!        └─────────────────────────────────────────────────┘  nothing more for 30 s
//! ```
//!
//! What a listener writes in each state, and the state that follows:
//!
//! | state | READY | RESULT | blank | anything else |
//! |---|---|---|---|---|
//! | ACKNOWLEDGED | READY | ACKNOWLEDGED, stray | ACKNOWLEDGED | ACKNOWLEDGED, stray |
//! | READY | READY, stray | READY, stray | READY | READY, stray |
//! | BUSY | BUSY, stray | ACKNOWLEDGED | BUSY | BUSY, stray |
//! | BUSY, has spoken | UNKNOWN | ACKNOWLEDGED | BUSY | BUSY, stray |
//! | UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN | UNKNOWN |
//!
//! BUSY has two rows: a READY that is the first word after the event may be one too many from before it; a later one means
//! that the event was not answered.
//!
//! The rule of resynchronising: output is taken in lines, and a word of the protocol counts where it is due, after
//! any stray output. `READY` must stand alone on its line, or end a line on which the data of a RESULT
//! stands (`OKREADY`, `OK doneREADY`). `RESULT n` must stand alone on its line, or end one (`working...RESULT 2`); the n
//! bytes after its newline are its data, of any content. White space around either is no fault, nor is a
//! byte order mark before it.

use thiserror::Error;

/// What a listener writes when it can take an event.
pub const READY: &[u8] = b"READY\n";

/// A result of more bytes than this is no result.
pub const MAX_RESULT: usize = 64 * 1024 * 1024;
/// The most bytes of a result that are kept where all of it is needed: more than any event has.
const MAX_FULL_RESULT: usize = 1024 * 1024;

/// More stray output than this (bytes) without READY or RESULT is a protocol error.
pub const MAX_STRAY: usize = 16 * 1024 * 1024;

/// The two words.
const READY_WORD: &[u8] = b"READY";
const RESULT_WORD: &[u8] = b"RESULT";

/// The most bytes of a listener's output that are kept for people to read.
const MAX_EXCERPT: usize = 200;

/// The end of a line that is kept (bytes): a RESULT with its number may stand there.
const MAX_LINE_TAIL: usize = 64;

/// A listener's result for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerResult {
    /// The event is dealt with.
    Ok,
    /// The supervisor shall send the event again.
    Fail,
}

impl ListenerResult {
    /// The bytes that say so: `RESULT`, the length, and the word; no newline at the end.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Ok => b"RESULT 2\nOK",
            Self::Fail => b"RESULT 4\nFAIL",
        }
    }
}

/// The state of a listener (EventListenerStates of states.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerState {
    /// It has not written READY yet, or not again.
    Acknowledged,
    /// It can take an event.
    Ready,
    /// It has an event.
    Busy,
    /// It is to be recycled.
    Unknown,
}

impl ListenerState {
    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Acknowledged, Self::Ready, Self::Busy, Self::Unknown];
        all.into_iter().find(|state| state.name() == name)
    }

    /// The name in log lines and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One message of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolMessage {
    /// It can take an event.
    Ready,
    /// It is done with its event, and well.
    Accepted,
    /// The same, if this data of its RESULT says so; cut where it is long, unless all of it is retained.
    Result(Vec<u8>),
    /// White space where none belongs, for the first time.
    Whitespace,
    /// Stray output, for the first time since its last word; see [`ProtocolParser::stray_output`].
    StrayOutput,
    /// READY as the first word after it was given an event: one too many, or it knows nothing of RESULT.
    RepeatedReady,
    /// It broke the protocol; nothing more is read.
    Error(ProtocolViolation),
}

/// How a listener broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolViolation {
    /// It asks for another event without a RESULT for the one it has.
    #[error("said READY without a RESULT for its event")]
    Unanswered,
    /// Its stray output has no end.
    #[error("wrote more than {MAX_STRAY} bytes without a word of the protocol")]
    TooMuchStrayOutput,
    /// It wrote stray output, and neither READY nor RESULT after it.
    #[error("babbled and then said neither RESULT nor READY")]
    NoReply,
    /// It announced a RESULT and gave a part of its data.
    #[error("gave a RESULT that is shorter than it announced")]
    IncompleteResult,
    /// Its stdout is closed.
    #[error("closed its stdout")]
    ClosedStdout,
    /// Its stdin is closed.
    #[error("closed its stdin")]
    ClosedStdin,
}

/// How much of a result is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultRetention {
    /// As much as people read.
    #[default]
    Excerpt,
    /// All of it, within reason.
    Full,
}

/// Parses the output of one listener, in pieces of any size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProtocolParser {
    state: ParserState,
    retention: ResultRetention,
    /// Of a line that has not ended: its end; or the beginning of a result. Keeps its capacity from one event to the next.
    partial: Vec<u8>,
    /// What is known of the unfinished line.
    line: Line,
    /// The line before was a RESULT, well-formed or not: READY may stand at the end of this one.
    after_result: bool,
    /// It was sent an event and has written nothing since.
    fresh_event: bool,
    /// The beginning of the last stray output.
    stray_output: Vec<u8>,
    /// What comes next belongs to the line that `stray_output` ends with.
    excerpt_is_open: bool,
    /// Stray output has been reported since the last word of the protocol.
    in_stray_output: bool,
    /// Bytes since the last word of the protocol.
    bytes_since_word: usize,
    whitespace_reported: bool,
    /// The message that follows the report of stray output.
    pending: Option<ProtocolMessage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ParserState {
    #[default]
    Acknowledged,
    Ready,
    Busy,
    /// BUSY, in the data of a result.
    Result {
        missing: usize,
    },
    Unknown,
}

/// What is known of a line that has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// It may become a word of the protocol.
    #[default]
    Open,
    /// It begins with stray output; a word may still end it.
    Stray,
    /// It begins as a RESULT does, but is none.
    BadResult,
}

/// What a whole line is.
#[derive(Clone, Copy)]
enum LineMeaning {
    Blank,
    /// READY, with stray output before it or not.
    Ready(Line),
    /// RESULT with a length, likewise.
    Result(u64, Line),
    Stray,
}

impl ProtocolParser {
    /// A parser that keeps this much of results.
    pub fn new(retention: ResultRetention) -> Self {
        Self { retention, ..Self::default() }
    }

    /// The listener's state.
    pub const fn state(&self) -> ListenerState {
        match self.state {
            ParserState::Acknowledged => ListenerState::Acknowledged,
            ParserState::Ready => ListenerState::Ready,
            ParserState::Busy | ParserState::Result { .. } => ListenerState::Busy,
            ParserState::Unknown => ListenerState::Unknown,
        }
    }

    /// Whether it has announced a RESULT and has not given all of its data.
    pub const fn is_in_result(&self) -> bool {
        matches!(self.state, ParserState::Result { .. })
    }

    /// The beginning of its last stray output, empty where there was none.
    pub fn stray_output(&self) -> &[u8] {
        &self.stray_output
    }

    /// The listener was sent an event; its next output is about that.
    pub fn event_sent(&mut self) {
        if self.state == ParserState::Ready {
            self.state = ParserState::Busy;
            self.fresh_event = true;
        }
    }

    /// Reads nothing more.
    pub fn close(&mut self) {
        self.state = ParserState::Unknown;
        self.partial = Vec::new();
        self.pending = None;
    }

    /// The next message, taken off the front of `data`; `None` when there is no more, and the rest is kept.
    pub fn next_message(&mut self, data: &mut &[u8]) -> Option<ProtocolMessage> {
        if let Some(message) = self.pending.take().or_else(|| self.fast_path(data)) {
            return Some(message);
        }
        // The stray output of several lines is reported once.
        let was_stray = self.in_stray_output;
        let message = self.next_word(data);
        if self.in_stray_output && !was_stray {
            self.pending = message;
            self.in_stray_output = !self.pending.as_ref().is_some_and(ends_stray_output);
            return Some(ProtocolMessage::StrayOutput);
        }
        if message.as_ref().is_some_and(ends_stray_output) {
            self.in_stray_output = false;
        }
        message
    }

    /// The usual messages, each in one piece and alone.
    fn fast_path(&mut self, data: &mut &[u8]) -> Option<ProtocolMessage> {
        if !self.partial.is_empty() || self.in_stray_output || self.line != Line::Open {
            return None;
        }
        let (word, stage, message) = match (self.state, self.retention) {
            (ParserState::Acknowledged, _) => (READY, ParserState::Ready, ProtocolMessage::Ready),
            (ParserState::Busy, ResultRetention::Excerpt) => {
                (ListenerResult::Ok.bytes(), ParserState::Acknowledged, ProtocolMessage::Accepted)
            }
            _ => return None,
        };
        *data = data.strip_prefix(word)?;
        self.state = stage;
        self.after_result = stage == ParserState::Acknowledged;
        self.bytes_since_word = 0;
        Some(message)
    }

    fn next_word(&mut self, data: &mut &[u8]) -> Option<ProtocolMessage> {
        while !data.is_empty() {
            let message = match self.state {
                ParserState::Unknown => {
                    *data = &[];
                    None
                }
                ParserState::Result { missing } => self.read_result(missing, data),
                ParserState::Acknowledged | ParserState::Ready | ParserState::Busy => self.read_line(data),
            };
            if message.is_some() {
                return message;
            }
        }
        None
    }

    fn read_line(&mut self, data: &mut &[u8]) -> Option<ProtocolMessage> {
        let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
            let rest = std::mem::take(data);
            self.bytes_since_word += rest.len();
            self.keep_partial_line(rest);
            return self.check_stray_limit();
        };
        let (line, rest) = data.split_at(end);
        *data = &rest[1..];
        self.bytes_since_word += end + 1;
        let begun = std::mem::take(&mut self.line);
        let (meaning, whole) = if self.partial.is_empty() {
            (self.classify_line(line, begun), None)
        } else {
            self.partial.extend_from_slice(line);
            let whole = std::mem::take(&mut self.partial);
            (self.classify_line(&whole, begun), Some(whole))
        };
        // Of a line that is known to be stray the beginning has been noted.
        let fresh = if begun == Line::Open { whole.as_deref().unwrap_or(line) } else { line };
        let bad_result = begun == Line::BadResult || (begun == Line::Open && starts_like_result(fresh));
        let message = self.on_line(meaning, fresh);
        self.after_result |= bad_result && message.is_none() && !self.is_in_result();
        if let Some(mut room) = whole {
            room.clear();
            self.partial = room;
        }
        message.or_else(|| self.check_stray_limit())
    }

    /// Keeps what has come of a line that has not ended.
    fn keep_partial_line(&mut self, part: &[u8]) {
        let surplus = part.len().saturating_sub(MAX_LINE_TAIL);
        self.partial.extend_from_slice(&part[surplus..]);
        match self.line {
            Line::Stray | Line::BadResult => {
                self.record_stray(part);
                self.excerpt_is_open = true;
            }
            Line::Open if surplus > 0 || !may_become_a_word(&self.partial) => {
                let before = self.partial.len() - (part.len() - surplus);
                let noted = [&self.partial[..before], &part[..part.len().min(MAX_EXCERPT)]].concat();
                self.line = if starts_like_result(&noted) { Line::BadResult } else { Line::Stray };
                self.record_stray(&noted);
                self.excerpt_is_open = true;
            }
            Line::Open => {}
        }
        if self.partial.len() > 2 * MAX_LINE_TAIL {
            self.partial.drain(..self.partial.len() - MAX_LINE_TAIL);
        }
    }

    /// What a whole line is; of one that is known to be stray, the end.
    fn classify_line(&self, line: &[u8], begun: Line) -> LineMeaning {
        let line = strip_byte_order_mark(line.trim_ascii());
        if line.is_empty() && begun == Line::Open {
            return LineMeaning::Blank;
        }
        let alone = begun == Line::Open;
        if line.ends_with(READY_WORD) {
            let alone = alone && line.len() == READY_WORD.len();
            if alone || self.after_result {
                return LineMeaning::Ready(if alone { Line::Open } else { Line::Stray });
            }
        }
        match parse_result_length(line) {
            Some((0, len)) if alone => LineMeaning::Result(len, Line::Open),
            Some((at, len)) if self.state == ParserState::Busy && line[at..].starts_with(RESULT_WORD) => {
                LineMeaning::Result(len, Line::Stray)
            }
            _ => LineMeaning::Stray,
        }
    }

    fn on_line(&mut self, sense: LineMeaning, line: &[u8]) -> Option<ProtocolMessage> {
        let after_result = std::mem::take(&mut self.after_result);
        let fresh_event = match sense {
            LineMeaning::Blank => false,
            LineMeaning::Ready(_) | LineMeaning::Result(..) | LineMeaning::Stray => {
                std::mem::take(&mut self.fresh_event)
            }
        };
        match sense {
            LineMeaning::Blank => {
                let first = !std::mem::replace(&mut self.whitespace_reported, true);
                first.then_some(ProtocolMessage::Whitespace)
            }
            LineMeaning::Ready(glued) => {
                if glued == Line::Stray {
                    let end = line.trim_ascii_end().len().saturating_sub(READY_WORD.len());
                    self.record_stray(&line[..end.min(line.len())]);
                }
                match self.state {
                    ParserState::Acknowledged => {
                        self.state = ParserState::Ready;
                        self.bytes_since_word = 0;
                        Some(ProtocolMessage::Ready)
                    }
                    ParserState::Busy if fresh_event => {
                        self.record_stray(line);
                        Some(ProtocolMessage::RepeatedReady)
                    }
                    ParserState::Busy => Some(self.fail(ProtocolViolation::Unanswered)),
                    // It writes READY twice, or after an unsolicited RESULT.
                    ParserState::Ready | ParserState::Result { .. } | ParserState::Unknown => {
                        if !after_result {
                            self.record_stray(line);
                        }
                        None
                    }
                }
            }
            LineMeaning::Result(len, glued)
                if self.state == ParserState::Busy && len <= MAX_RESULT as u64 =>
            {
                if glued == Line::Stray {
                    self.record_stray(line);
                }
                let missing = usize::try_from(len).unwrap_or(MAX_RESULT);
                self.state = ParserState::Result { missing };
                (missing == 0).then(|| self.result())
            }
            LineMeaning::Result(..) | LineMeaning::Stray => {
                self.record_stray(line);
                None
            }
        }
    }

    fn read_result(&mut self, missing: usize, data: &mut &[u8]) -> Option<ProtocolMessage> {
        let here = missing.min(data.len());
        let room = match self.retention {
            ResultRetention::Excerpt => MAX_EXCERPT.saturating_sub(self.partial.len()),
            ResultRetention::Full => MAX_FULL_RESULT.saturating_sub(self.partial.len()),
        };
        self.partial.extend_from_slice(&data[..here.min(room)]);
        *data = &data[here..];
        if here < missing {
            self.state = ParserState::Result { missing: missing - here };
            return None;
        }
        Some(self.result())
    }

    fn result(&mut self) -> ProtocolMessage {
        self.state = ParserState::Acknowledged;
        self.after_result = true;
        self.bytes_since_word = 0;
        if self.retention == ResultRetention::Excerpt && self.partial.trim_ascii() == b"OK" {
            self.partial.clear();
            return ProtocolMessage::Accepted;
        }
        let result = self.partial.clone();
        self.partial.clear();
        if self.partial.capacity() > MAX_EXCERPT {
            self.partial = Vec::new();
        }
        ProtocolMessage::Result(result)
    }

    /// Notes stray output.
    fn record_stray(&mut self, stray: &[u8]) {
        let joined = std::mem::take(&mut self.excerpt_is_open);
        if !self.in_stray_output {
            if stray.trim_ascii().is_empty() {
                return;
            }
            self.in_stray_output = true;
            self.stray_output.clear();
        } else if !joined && self.stray_output.len() < MAX_EXCERPT {
            self.stray_output.push(b'\n');
        }
        let room = MAX_EXCERPT.saturating_sub(self.stray_output.len());
        self.stray_output.extend_from_slice(&stray[..stray.len().min(room)]);
    }

    fn check_stray_limit(&mut self) -> Option<ProtocolMessage> {
        (self.bytes_since_word > MAX_STRAY).then(|| self.fail(ProtocolViolation::TooMuchStrayOutput))
    }

    fn fail(&mut self, violation: ProtocolViolation) -> ProtocolMessage {
        self.close();
        ProtocolMessage::Error(violation)
    }
}

/// Whether the message is a word of the protocol where it is due.
const fn ends_stray_output(message: &ProtocolMessage) -> bool {
    match message {
        ProtocolMessage::Ready | ProtocolMessage::Accepted | ProtocolMessage::Result(_) => true,
        ProtocolMessage::Whitespace
        | ProtocolMessage::StrayOutput
        | ProtocolMessage::RepeatedReady
        | ProtocolMessage::Error(_) => false,
    }
}

fn starts_like_result(line: &[u8]) -> bool {
    let word = line.trim_ascii_start().get(..RESULT_WORD.len());
    word.is_some_and(|word| word.eq_ignore_ascii_case(RESULT_WORD))
}

/// The byte order mark that editors put before the text of a script, and an interpreter may print.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn strip_byte_order_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii_start()
}

/// Whether the beginning of a line may go on as READY or as RESULT with a number.
fn may_become_a_word(begun: &[u8]) -> bool {
    let begun = begun.trim_ascii_start();
    if BYTE_ORDER_MARK.starts_with(begun) {
        return true;
    }
    let begun = strip_byte_order_mark(begun);
    let word = begun.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, rest) = begun.split_at(word);
    if rest.is_empty() {
        return READY_WORD.starts_with(word) || is_beginning_of_result(word);
    }
    match word {
        b"READY" => rest.trim_ascii().is_empty(),
        _ if word.len() == RESULT_WORD.len() && is_beginning_of_result(word) => {
            let number = rest.trim_ascii().iter();
            rest[0].is_ascii_whitespace() && number.clone().all(|byte| byte.is_ascii_digit() || *byte == b'+')
        }
        _ => false,
    }
}

fn is_beginning_of_result(word: &[u8]) -> bool {
    RESULT_WORD.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
}

/// Where a RESULT with its length begins that ends the line, and the length. White space around the number is as good
/// as none, as for Python's `int`; the original does not look at the word's case.
fn parse_result_length(line: &[u8]) -> Option<(usize, u64)> {
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'+').count();
    let (before, number) = line.split_at(line.len() - digits);
    let len = std::str::from_utf8(number).ok()?.parse().ok()?;
    let word = before.trim_ascii_end();
    let at = word.len().checked_sub(RESULT_WORD.len())?;
    (word.len() < before.len() && word[at..].eq_ignore_ascii_case(RESULT_WORD)).then_some((at, len))
}

/// The beginning of a listener's output, for people to read.
pub fn excerpt(output: &[u8]) -> String {
    String::from_utf8_lossy(&output[..output.len().min(MAX_EXCERPT)]).into_owned()
}

#[cfg(test)]
mod tests;
