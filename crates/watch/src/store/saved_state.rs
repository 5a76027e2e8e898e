//! The file `state`: [`SavedState`], all that a restart needs, as lines with checksums. Written and read as a whole.
//!
//! ```text
//! 1f0e9c3a {"watch":{"version":1,"cursor":421,"boot":"6f1c9b2e","last_message":1764467291459000}}
//! 5c2b1f07 {"part":…}                  one for each part of the machines
//! d01e55aa {"intents":["…"]}           the messages that this commit releases
//! 77ab03cd {"end":4}                   the number of lines: a short file is no state
//! ```

use ironlance_core::text::checked_line::{self, LineError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of this format.
const VERSION: u32 = 1;

/// What is known at one moment. `P` is a part of the machines' snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState<P> {
    /// The number of the journal's next record: all before it are in the parts.
    pub cursor: u64,
    /// The run of the supervisor that the last of them belongs to.
    pub boot: String,
    /// The machines, in any order.
    pub parts: Vec<P>,
}

impl<P: DeserializeOwned> SavedState<P> {
    /// The state of a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, StateFault> {
        decode(bytes).map(|(state, _)| state)
    }
}

/// What a commit adds to the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CommitNote {
    /// The messages that are to be moved to the outbox.
    pub intents: Vec<String>,
    /// The time in the last message's id, in microseconds since 1970.
    pub last_message: u64,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateLine<P> {
    Watch { version: u32, cursor: u64, boot: String, last_message: u64 },
    Part(P),
    Intents(Vec<String>),
    End(usize),
}

/// Why a file is no state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateFault {
    /// A line cannot be read.
    #[error("line {line}: {source}")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: LineError,
    },
    /// A line of this kind does not belong where it is.
    #[error("line {line}: out of place")]
    Place {
        /// Which, counted from 1.
        line: usize,
    },
    /// The last line is missing, or counts other lines.
    #[error("it is cut after {lines} line(s)")]
    Cut {
        /// The number of lines that are there.
        lines: usize,
    },
    /// Another version has written it.
    #[error("it has version {version}, and {VERSION} is known")]
    Version {
        /// Its version.
        version: u32,
    },
}

/// The file of a state.
pub(super) fn encode<P: Serialize>(state: &SavedState<P>, note: &CommitNote) -> String {
    let SavedState { cursor, boot, parts } = state;
    let head = StateLine::<&P>::Watch {
        version: VERSION,
        cursor: *cursor,
        boot: boot.clone(),
        last_message: note.last_message,
    };
    let lines = [head].into_iter().chain(parts.iter().map(StateLine::Part));
    let lines = lines.chain([StateLine::Intents(note.intents.clone())]);
    let mut text: String = lines.map(|line| checked_line::encode(&line)).collect();
    text.push_str(&checked_line::encode(&StateLine::<&P>::End(parts.len() + 2)));
    text
}

/// The state of a file, and what its commit has added.
pub(super) fn decode<P: DeserializeOwned>(bytes: &[u8]) -> Result<(SavedState<P>, CommitNote), StateFault> {
    let mut state = SavedState { cursor: 0, boot: String::new(), parts: Vec::new() };
    let mut note = CommitNote::default();
    let mut ended = false;
    let mut lines = 0;
    for (index, bytes) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let line = index + 1;
        match checked_line::decode::<StateLine<P>>(bytes) {
            Err(source) => return Err(StateFault::Line { line, source }),
            Ok(StateLine::Watch { version, .. }) if version != VERSION => {
                return Err(StateFault::Version { version });
            }
            Ok(StateLine::Watch { cursor, boot, last_message, .. }) if index == 0 => {
                (state.cursor, state.boot, note.last_message) = (cursor, boot, last_message);
            }
            Ok(StateLine::Part(part)) if index > 0 && !ended => state.parts.push(part),
            Ok(StateLine::Intents(ids)) if index > 0 && !ended => note.intents.extend(ids),
            Ok(StateLine::End(count)) if index > 0 && !ended && count == index => ended = true,
            Ok(_) => return Err(StateFault::Place { line }),
        }
        lines = line;
    }
    if ended { Ok((state, note)) } else { Err(StateFault::Cut { lines }) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(parts: &[&str], intents: &[&str]) -> (SavedState<String>, CommitNote, String) {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let state = SavedState { cursor: 7, boot: "b".to_owned(), parts: own(parts) };
        let note = CommitNote { intents: own(intents), last_message: 9 };
        let text = encode(&state, &note);
        (state, note, text)
    }

    #[test]
    fn what_was_saved_is_read() {
        let (state, note, text) = file(&["x", "y\n"], &["1.a"]);
        assert_eq!(decode(text.as_bytes()), Ok((state, note)));
        assert_eq!(text.lines().last().unwrap().split_once(' ').unwrap().1, r#"{"end":4}"#);
    }

    #[test]
    fn a_file_of_another_version_is_no_state() {
        let line = StateLine::<u8>::Watch { version: 2, cursor: 1, boot: String::new(), last_message: 0 };
        let fault = decode::<u8>(checked_line::encode(&line).as_bytes()).unwrap_err();
        assert_eq!(fault.to_string(), "it has version 2, and 1 is known");
    }

    #[test]
    fn lines_that_are_out_of_place_are_no_state() {
        let (_, _, text) = file(&["x"], &[]);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let fault = |order: &[usize]| {
            let text: String = order.iter().map(|index| lines[*index]).collect();
            decode::<String>(text.as_bytes()).unwrap_err()
        };
        assert_eq!(fault(&[1, 0]), StateFault::Place { line: 1 });
        assert_eq!(fault(&[0, 1, 2, 3, 1]), StateFault::Place { line: 5 });
        assert_eq!(fault(&[0, 2, 3]), StateFault::Place { line: 3 });
        assert_eq!(decode::<String>(b""), Err(StateFault::Cut { lines: 0 }));
    }

    proptest! {
        #[test]
        fn a_file_that_is_cut_or_damaged_anywhere_is_no_state(
            at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let (state, note, text) = file(&["one", "two"], &["1.a", "2.b"]);
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            prop_assert!(decode::<String>(&bytes[..at]).is_err());
            let is_same = std::mem::replace(&mut bytes[at], byte) == byte;
            match decode::<String>(&bytes) {
                Ok(read) => prop_assert!(is_same && read == (state, note)),
                Err(_) => prop_assert!(!is_same),
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<String>(&bytes).is_err());
        }
    }
}
