//! The words a listener says on its stdout: READY, and RESULT with OK or FAIL; both said and understood here.
//!
//! ```text
//!                    READY                 event sent
//!   ACKNOWLEDGED ──────────────▶ READY ────────────────▶ BUSY ──▶ UNKNOWN: it is recycled
//!        ▲                                                 │  READY without a RESULT, too much
//!        │               RESULT n, and n bytes             │  stray output, a closed pipe, or
//!        └─────────────────────────────────────────────────┘  nothing more for 30 s
//! ```
//!
//! What a listener says in each state, and the state that follows:
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
//! The rule of resynchronising: output is taken in lines, and a word of the protocol counts where it is due, whatever
//! stray output came before it. `READY` must stand alone on its line, or end a line on which the data of a RESULT
//! stands (`OKREADY`, `OK doneREADY`). `RESULT n` must stand alone on its line, or end one (`working...RESULT 2`); the n
//! bytes after its newline are its data, whatever they are. White space around either is no fault, nor is a
//! byte order mark before it.

use thiserror::Error;

/// What a listener writes when it can take an event.
pub const READY: &[u8] = b"READY\n";

/// A result of more bytes than this is no result.
pub const MAX_RESULT: usize = 64 * 1024 * 1024;
/// So many of its bytes are kept where all of it is needed: more than any event has.
const MAX_WHOLE: usize = 1024 * 1024;

/// So many bytes of stray output without a word of the protocol among them are too many.
pub const MAX_STRAY: usize = 16 * 1024 * 1024;

/// The two words.
const READY_WORD: &[u8] = b"READY";
const RESULT_WORD: &[u8] = b"RESULT";

/// So many bytes of what a listener said are kept for people to read.
const MAX_QUOTE: usize = 200;

/// So much of the end of a line is kept (bytes): a RESULT with its number may stand there.
const KEPT_OF_LINE: usize = 64;

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
    /// It is to be recycled.
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
    /// It is done with its event, and well.
    Done,
    /// The same, if this data of its RESULT says so; cut where it is long, unless it was asked for whole.
    Result(Vec<u8>),
    /// White space where none belongs, for the first time.
    Blank,
    /// Stray output, for the first time since its last word; see [`Ear::babble`].
    Stray,
    /// READY as the first word after it was given an event: one too many, or it knows nothing of RESULT.
    ReadyAgain,
    /// It broke the protocol beyond repair, and is deaf from now on.
    Broken(Breach),
}

/// How a listener broke the protocol, or why nothing more can be expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Breach {
    /// It asks for another event without a RESULT for the one it has.
    #[error("said READY without a RESULT for its event")]
    Unanswered,
    /// Its stray output has no end.
    #[error("wrote more than {MAX_STRAY} bytes without a word of the protocol")]
    Flood,
    /// It had stray output, and then nothing that helps.
    #[error("babbled and then said neither RESULT nor READY")]
    Lost,
    /// It announced a RESULT and gave a part of its data.
    #[error("gave a RESULT that is shorter than it announced")]
    Unfinished,
    /// It can say nothing more.
    #[error("closed its stdout")]
    ClosedStdout,
    /// It can be told nothing more.
    #[error("closed its stdin")]
    ClosedStdin,
}

/// How much of a result is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// As much as people read.
    #[default]
    Beginning,
    /// All of it, within reason.
    Whole,
}

/// Listens to one listener; what it says may be cut anywhere.
#[derive(Debug, Default)]
pub struct Ear {
    stage: Stage,
    keep: Keep,
    /// Of a line that has not ended: its end; or the beginning of a result. Keeps its room from one event to the next.
    heard: Vec<u8>,
    /// What is known of the line that has not ended.
    line: Line,
    /// The line before was a RESULT, well-formed or not: READY may stand at the end of this one.
    after_result: bool,
    /// It was given an event and has said nothing since.
    fresh_event: bool,
    /// The beginning of the last stray output.
    babble: Vec<u8>,
    /// What comes next belongs to the line that `babble` ends with.
    quote_is_open: bool,
    /// Stray output has been told since the last word of the protocol.
    babbling: bool,
    /// Bytes since the last word of the protocol.
    strayed: usize,
    blank_told: bool,
    /// What is to be told after the stray output before it.
    next: Option<Said>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Acknowledged,
    Ready,
    Busy,
    /// BUSY, in the result, of which so many bytes are still to come.
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
enum Sense {
    Blank,
    /// READY, with stray output before it or not.
    Ready(Line),
    /// RESULT with a length, likewise.
    Result(u64, Line),
    Stray,
}

impl Ear {
    /// Listens to a listener of whose results so much is needed.
    pub fn new(keep: Keep) -> Self {
        Self { keep, ..Self::default() }
    }

    /// What the listener is about.
    pub const fn state(&self) -> ListenerState {
        match self.stage {
            Stage::Acknowledged => ListenerState::Acknowledged,
            Stage::Ready => ListenerState::Ready,
            Stage::Busy | Stage::Result { .. } => ListenerState::Busy,
            Stage::Unknown => ListenerState::Unknown,
        }
    }

    /// Whether it has announced a RESULT and has not given all of its data.
    pub const fn is_in_result(&self) -> bool {
        matches!(self.stage, Stage::Result { .. })
    }

    /// The beginning of its last stray output, empty where there was none.
    pub fn babble(&self) -> &[u8] {
        &self.babble
    }

    /// The listener was sent an event; what it says next is about that.
    pub fn event_sent(&mut self) {
        if self.stage == Stage::Ready {
            self.stage = Stage::Busy;
            self.fresh_event = true;
        }
    }

    /// Hears nothing more.
    pub fn close(&mut self) {
        self.stage = Stage::Unknown;
        self.heard = Vec::new();
        self.next = None;
    }

    /// The next thing said, taken off the front of `data`; `None` when there is no more, and the rest is kept.
    pub fn next(&mut self, data: &mut &[u8]) -> Option<Said> {
        if let Some(said) = self.next.take().or_else(|| self.usual(data)) {
            return Some(said);
        }
        // The stray output of several lines is told at once.
        let was_babbling = self.babbling;
        let said = self.next_word(data);
        if self.babbling && !was_babbling {
            self.next = said;
            self.babbling = !self.next.as_ref().is_some_and(ends_babble);
            return Some(Said::Stray);
        }
        if said.as_ref().is_some_and(ends_babble) {
            self.babbling = false;
        }
        said
    }

    /// What listeners say as a rule, as it is said as a rule: in one piece, and nothing else.
    fn usual(&mut self, data: &mut &[u8]) -> Option<Said> {
        if !self.heard.is_empty() || self.babbling || self.line != Line::Open {
            return None;
        }
        let (word, stage, said) = match (self.stage, self.keep) {
            (Stage::Acknowledged, _) => (READY, Stage::Ready, Said::Ready),
            (Stage::Busy, Keep::Beginning) => (Answer::Ok.bytes(), Stage::Acknowledged, Said::Done),
            _ => return None,
        };
        *data = data.strip_prefix(word)?;
        self.stage = stage;
        self.after_result = stage == Stage::Acknowledged;
        self.strayed = 0;
        Some(said)
    }

    fn next_word(&mut self, data: &mut &[u8]) -> Option<Said> {
        while !data.is_empty() {
            let said = match self.stage {
                Stage::Unknown => {
                    *data = &[];
                    None
                }
                Stage::Result { missing } => self.hear_result(missing, data),
                Stage::Acknowledged | Stage::Ready | Stage::Busy => self.hear_line(data),
            };
            if said.is_some() {
                return said;
            }
        }
        None
    }

    fn hear_line(&mut self, data: &mut &[u8]) -> Option<Said> {
        let Some(end) = data.iter().position(|byte| *byte == b'\n') else {
            let rest = std::mem::take(data);
            self.strayed += rest.len();
            self.begin_line(rest);
            return self.flood();
        };
        let (line, rest) = data.split_at(end);
        *data = &rest[1..];
        self.strayed += end + 1;
        let begun = std::mem::take(&mut self.line);
        let (sense, whole) = if self.heard.is_empty() {
            (self.sense(line, begun), None)
        } else {
            self.heard.extend_from_slice(line);
            let whole = std::mem::take(&mut self.heard);
            (self.sense(&whole, begun), Some(whole))
        };
        // Of a line that is known to be stray the beginning has been noted.
        let fresh = if begun == Line::Open { whole.as_deref().unwrap_or(line) } else { line };
        let bad_result = begun == Line::BadResult || (begun == Line::Open && begins_as_result(fresh));
        let said = self.understand(sense, fresh);
        self.after_result |= bad_result && said.is_none() && !self.is_in_result();
        if let Some(mut room) = whole {
            room.clear();
            self.heard = room;
        }
        said.or_else(|| self.flood())
    }

    /// Keeps what has come of a line that has not ended.
    fn begin_line(&mut self, part: &[u8]) {
        let surplus = part.len().saturating_sub(KEPT_OF_LINE);
        self.heard.extend_from_slice(&part[surplus..]);
        match self.line {
            Line::Stray | Line::BadResult => {
                self.note(part);
                self.quote_is_open = true;
            }
            Line::Open if surplus > 0 || !may_become_a_word(&self.heard) => {
                let before = self.heard.len() - (part.len() - surplus);
                let noted = [&self.heard[..before], &part[..part.len().min(MAX_QUOTE)]].concat();
                self.line = if begins_as_result(&noted) { Line::BadResult } else { Line::Stray };
                self.note(&noted);
                self.quote_is_open = true;
            }
            Line::Open => {}
        }
        if self.heard.len() > 2 * KEPT_OF_LINE {
            self.heard.drain(..self.heard.len() - KEPT_OF_LINE);
        }
    }

    /// What a whole line is; of one that is known to be stray, the end.
    fn sense(&self, line: &[u8], begun: Line) -> Sense {
        let line = without_mark(line.trim_ascii());
        if line.is_empty() && begun == Line::Open {
            return Sense::Blank;
        }
        let alone = begun == Line::Open;
        if line.ends_with(READY_WORD) {
            let alone = alone && line.len() == READY_WORD.len();
            if alone || self.after_result {
                return Sense::Ready(if alone { Line::Open } else { Line::Stray });
            }
        }
        match length(line) {
            Some((0, len)) if alone => Sense::Result(len, Line::Open),
            Some((at, len)) if self.stage == Stage::Busy && line[at..].starts_with(RESULT_WORD) => {
                Sense::Result(len, Line::Stray)
            }
            _ => Sense::Stray,
        }
    }

    fn understand(&mut self, sense: Sense, line: &[u8]) -> Option<Said> {
        let after_result = std::mem::take(&mut self.after_result);
        let fresh_event = match sense {
            Sense::Blank => false,
            Sense::Ready(_) | Sense::Result(..) | Sense::Stray => std::mem::take(&mut self.fresh_event),
        };
        match sense {
            Sense::Blank => {
                let first = !std::mem::replace(&mut self.blank_told, true);
                first.then_some(Said::Blank)
            }
            Sense::Ready(glued) => {
                if glued == Line::Stray {
                    let end = line.trim_ascii_end().len().saturating_sub(READY_WORD.len());
                    self.note(&line[..end.min(line.len())]);
                }
                match self.stage {
                    Stage::Acknowledged => {
                        self.stage = Stage::Ready;
                        self.strayed = 0;
                        Some(Said::Ready)
                    }
                    Stage::Busy if fresh_event => {
                        self.note(line);
                        Some(Said::ReadyAgain)
                    }
                    Stage::Busy => Some(self.broken(Breach::Unanswered)),
                    // It says so twice, or after a RESULT that nobody asked for.
                    Stage::Ready | Stage::Result { .. } | Stage::Unknown => {
                        if !after_result {
                            self.note(line);
                        }
                        None
                    }
                }
            }
            Sense::Result(len, glued) if self.stage == Stage::Busy && len <= MAX_RESULT as u64 => {
                if glued == Line::Stray {
                    self.note(line);
                }
                let missing = usize::try_from(len).unwrap_or(MAX_RESULT);
                self.stage = Stage::Result { missing };
                (missing == 0).then(|| self.result())
            }
            Sense::Result(..) | Sense::Stray => {
                self.note(line);
                None
            }
        }
    }

    fn hear_result(&mut self, missing: usize, data: &mut &[u8]) -> Option<Said> {
        let here = missing.min(data.len());
        let room = match self.keep {
            Keep::Beginning => MAX_QUOTE.saturating_sub(self.heard.len()),
            Keep::Whole => MAX_WHOLE.saturating_sub(self.heard.len()),
        };
        self.heard.extend_from_slice(&data[..here.min(room)]);
        *data = &data[here..];
        if here < missing {
            self.stage = Stage::Result { missing: missing - here };
            return None;
        }
        Some(self.result())
    }

    fn result(&mut self) -> Said {
        self.stage = Stage::Acknowledged;
        self.after_result = true;
        self.strayed = 0;
        if self.keep == Keep::Beginning && self.heard.trim_ascii() == b"OK" {
            self.heard.clear();
            return Said::Done;
        }
        let result = self.heard.clone();
        self.heard.clear();
        if self.heard.capacity() > MAX_QUOTE {
            self.heard = Vec::new();
        }
        Said::Result(result)
    }

    /// Notes stray output.
    fn note(&mut self, stray: &[u8]) {
        let joined = std::mem::take(&mut self.quote_is_open);
        if !self.babbling {
            if stray.trim_ascii().is_empty() {
                return;
            }
            self.babbling = true;
            self.babble.clear();
        } else if !joined && self.babble.len() < MAX_QUOTE {
            self.babble.push(b'\n');
        }
        let room = MAX_QUOTE.saturating_sub(self.babble.len());
        self.babble.extend_from_slice(&stray[..stray.len().min(room)]);
    }

    fn flood(&mut self) -> Option<Said> {
        (self.strayed > MAX_STRAY).then(|| self.broken(Breach::Flood))
    }

    fn broken(&mut self, breach: Breach) -> Said {
        self.close();
        Said::Broken(breach)
    }
}

/// Whether what was said is a word where it was due.
const fn ends_babble(said: &Said) -> bool {
    match said {
        Said::Ready | Said::Done | Said::Result(_) => true,
        Said::Blank | Said::Stray | Said::ReadyAgain | Said::Broken(_) => false,
    }
}

fn begins_as_result(line: &[u8]) -> bool {
    let word = line.trim_ascii_start().get(..RESULT_WORD.len());
    word.is_some_and(|word| word.eq_ignore_ascii_case(RESULT_WORD))
}

/// The byte order mark that editors put before the text of a script, and an interpreter may print.
const MARK: &[u8] = "\u{feff}".as_bytes();

fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(MARK).unwrap_or(line).trim_ascii_start()
}

/// Whether the beginning of a line may go on as READY or as RESULT with a number.
fn may_become_a_word(begun: &[u8]) -> bool {
    let begun = begun.trim_ascii_start();
    if MARK.starts_with(begun) {
        return true;
    }
    let begun = without_mark(begun);
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
fn length(line: &[u8]) -> Option<(usize, u64)> {
    let digits = line.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'+').count();
    let (before, number) = line.split_at(line.len() - digits);
    let len = std::str::from_utf8(number).ok()?.parse().ok()?;
    let word = before.trim_ascii_end();
    let at = word.len().checked_sub(RESULT_WORD.len())?;
    (word.len() < before.len() && word[at..].eq_ignore_ascii_case(RESULT_WORD)).then_some((at, len))
}

/// What people read of what a listener said.
pub fn quote(said: &[u8]) -> String {
    String::from_utf8_lossy(&said[..said.len().min(MAX_QUOTE)]).into_owned()
}

#[cfg(test)]
mod tests;
