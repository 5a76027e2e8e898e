//! The words a listener says on its stdout: READY, and RESULT with OK or FAIL; both said and understood here.
//!
//! ```text
//!                    READY\n                event sent
//!   ACKNOWLEDGED ──────────────▶ READY ────────────────▶ BUSY
//!        ▲                         │                       │
//!        │        RESULT n\n and n bytes                   │
//!        └─────────────────────────┼───────────────────────┘
//!                                  ▼ anything else, in any state
//!                               UNKNOWN, and deaf from then on
//! ```

use thiserror::Error;

/// What a listener writes when it can take an event.
pub const READY: &[u8] = b"READY\n";

/// A result of more bytes than this is no result.
pub const MAX_RESULT: usize = 1024 * 1024;

/// What the line of a result begins with.
const RESULT: &[u8] = b"RESULT ";

/// A line of more bytes than this is no RESULT line: the word, and a number.
const MAX_LINE: usize = 64;

/// So many bytes of what a listener said are kept for people to read.
const MAX_QUOTE: usize = 200;

/// A listener's verdict on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The event is dealt with.
    Ok,
    /// The supervisor shall send the event again.
    Fail,
}

impl Answer {
    /// The bytes that say so: `RESULT`, the length, and the word; no newline at the end.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Ok => b"RESULT 2\nOK",
            Self::Fail => b"RESULT 4\nFAIL",
        }
    }
}

/// What a listener is about (EventListenerStates of states.py).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerState {
    /// It has not said READY yet, or not again.
    Acknowledged,
    /// It can take an event.
    Ready,
    /// It has an event.
    Busy,
    /// It broke the protocol.
    Unknown,
}

impl ListenerState {
    /// The name in log lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "ACKNOWLEDGED",
            Self::Ready => "READY",
            Self::Busy => "BUSY",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One thing a listener has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It can take an event.
    Ready,
    /// Its event is dealt with.
    Done,
    /// Its event shall be sent again; the result that was not `OK`, cut where it is long.
    Refused(String),
    /// It broke the protocol.
    Broken(Breach),
}

/// How a listener broke the protocol. What it said is cut where it is long.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Breach {
    /// It said something else than READY when that was due.
    #[error("said {said:?} where READY was due")]
    NotReady {
        /// What it said.
        said: String,
    },
    /// It said something while it was waiting for an event.
    #[error("said {said:?} while it was READY and had no event")]
    Uncalled {
        /// What it said.
        said: String,
    },
    /// It said something else than a RESULT line.
    #[error("said {said:?} where RESULT and a length were due")]
    NoResult {
        /// What it said.
        said: String,
    },
    /// Its result is too long.
    #[error("announced a RESULT of {len} bytes, the limit is {MAX_RESULT}")]
    LongResult {
        /// The length it announced.
        len: u64,
    },
}

/// Listens to one listener; what it says may be cut anywhere.
#[derive(Debug)]
pub struct Ear {
    stage: Stage,
    /// What has been heard of a line, or the beginning of a result; keeps its room from one event to the next.
    heard: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// ACKNOWLEDGED, and so many bytes of READY have come.
    Acknowledged(usize),
    Ready,
    /// BUSY, in the RESULT line.
    Line,
    /// BUSY, in the result, of which so many bytes are still to come.
    Result {
        missing: usize,
    },
    Unknown,
}

impl Default for Ear {
    fn default() -> Self {
        Self { stage: Stage::Acknowledged(0), heard: Vec::new() }
    }
}

impl Ear {
    /// What the listener is about.
    pub const fn state(&self) -> ListenerState {
        match self.stage {
            Stage::Acknowledged(_) => ListenerState::Acknowledged,
            Stage::Ready => ListenerState::Ready,
            Stage::Line | Stage::Result { .. } => ListenerState::Busy,
            Stage::Unknown => ListenerState::Unknown,
        }
    }

    /// The listener was sent an event; what it says next is about that.
    pub fn event_sent(&mut self) {
        if self.stage == Stage::Ready {
            self.stage = Stage::Line;
        }
    }

    /// The listener cannot take events any more; nothing it says counts.
    pub const fn close(&mut self) {
        self.stage = Stage::Unknown;
    }

    /// The next thing said, taken off the front of `data`; `None` when there is no more, and the rest is kept.
    pub fn next(&mut self, data: &mut &[u8]) -> Option<Said> {
        if data.is_empty() {
            return None;
        }
        match self.stage {
            Stage::Acknowledged(matched) => self.hear_ready(matched, data),
            Stage::Ready => Some(self.broken(Breach::Uncalled { said: quote(data) }, data)),
            Stage::Line => self.hear_line(data),
            Stage::Result { missing } => self.hear_result(missing, data),
            Stage::Unknown => {
                *data = &[];
                None
            }
        }
    }

    fn hear_ready(&mut self, matched: usize, data: &mut &[u8]) -> Option<Said> {
        let due = &READY[matched..];
        let here = due.len().min(data.len());
        if data[..here] != due[..here] {
            let said = [&READY[..matched], data].concat();
            return Some(self.broken(Breach::NotReady { said: quote(&said) }, data));
        }
        *data = &data[here..];
        if here < due.len() {
            self.stage = Stage::Acknowledged(matched + here);
            return None;
        }
        self.stage = Stage::Ready;
        Some(Said::Ready)
    }

    fn hear_line(&mut self, data: &mut &[u8]) -> Option<Said> {
        let newline = data.iter().take(MAX_LINE).position(|byte| *byte == b'\n');
        let here = newline.unwrap_or_else(|| data.len().min(MAX_LINE));
        self.heard.extend_from_slice(&data[..here]);
        let fits = self.heard.len().min(RESULT.len());
        let fault = self.heard[..fits] != RESULT[..fits] || self.heard.len() > MAX_LINE;
        if fault || (newline.is_none() && here == MAX_LINE) {
            return Some(self.no_result(data));
        }
        if newline.is_none() {
            *data = &[];
            return None;
        }
        *data = &data[here + 1..];
        match self.heard.get(RESULT.len()..).and_then(length) {
            None => Some(self.no_result(data)),
            Some(len) if len > MAX_RESULT as u64 => Some(self.broken(Breach::LongResult { len }, data)),
            Some(len) => {
                self.heard.clear();
                let missing = usize::try_from(len).unwrap_or(MAX_RESULT);
                self.stage = Stage::Result { missing };
                if missing == 0 { self.hear_result(0, data) } else { self.next(data) }
            }
        }
    }

    fn hear_result(&mut self, missing: usize, data: &mut &[u8]) -> Option<Said> {
        let here = missing.min(data.len());
        let kept = here.min(MAX_QUOTE.saturating_sub(self.heard.len()));
        self.heard.extend_from_slice(&data[..kept]);
        *data = &data[here..];
        if here < missing {
            self.stage = Stage::Result { missing: missing - here };
            return None;
        }
        self.stage = Stage::Acknowledged(0);
        let said = if self.heard == b"OK" { Said::Done } else { Said::Refused(quote(&self.heard)) };
        self.heard.clear();
        Some(said)
    }

    fn no_result(&mut self, data: &mut &[u8]) -> Said {
        let said = quote(&self.heard);
        self.broken(Breach::NoResult { said }, data)
    }

    fn broken(&mut self, breach: Breach, data: &mut &[u8]) -> Said {
        *data = &[];
        self.heard = Vec::new();
        self.stage = Stage::Unknown;
        Said::Broken(breach)
    }
}

/// The number of a RESULT line; white space around it is as good as none, as for Python's `int`.
fn length(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

/// What people read of what a listener said.
fn quote(said: &[u8]) -> String {
    String::from_utf8_lossy(&said[..said.len().min(MAX_QUOTE)]).into_owned()
}

#[cfg(test)]
mod tests;
