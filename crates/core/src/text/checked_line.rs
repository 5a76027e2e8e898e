//! Lines that show whether they are whole: 8 hex digits of the CRC-32 of a JSON text, a blank, the text, a newline.
//!
//! The files of the state folder consist of them: the journal, the outbox, the state of `watch`. A line that a crash has
//! cut is told from one that is damaged by its missing newline.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Why bytes are no such line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// There is no newline at the end: the line was cut.
    #[error("cut")]
    Cut,
    /// It does not begin with a checksum.
    #[error("no checksum")]
    NoChecksum,
    /// The checksum is another's.
    #[error("the checksum does not fit")]
    WrongChecksum,
    /// It is not the JSON text of such a record, or no UTF-8.
    #[error("{0}")]
    Content(String),
}

/// A record as a line.
///
/// # Panics
///
/// Where the record cannot be JSON: a map whose keys are no strings.
pub fn encode(record: &impl Serialize) -> String {
    let json = serde_json::to_string(record).expect("a record has only strings for keys");
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// The record of a line with its newline.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let content = |error: &dyn std::fmt::Display| LineError::Content(error.to_string());
    let line = line.strip_suffix(b"\n").ok_or(LineError::Cut)?;
    let text = std::str::from_utf8(line).map_err(|error| content(&error))?;
    let (sum, json) = text.split_once(' ').ok_or(LineError::NoChecksum)?;
    if sum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err(LineError::WrongChecksum);
    }
    serde_json::from_str(json).map_err(|error| content(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_its_record_back() {
        let line = encode(&("é\n", 7));
        assert_eq!(line, "cb9c3d69 [\"é\\n\",7]\n");
        assert_eq!(decode::<(String, u8)>(line.as_bytes()), Ok(("é\n".to_owned(), 7)));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let whole = encode(&1);
        let error = |line: &str| decode::<u8>(line.as_bytes()).unwrap_err();
        assert_eq!(error(whole.trim_end()), LineError::Cut);
        assert_eq!(error("1\n"), LineError::NoChecksum);
        assert_eq!(error("00000000 1\n"), LineError::WrongChecksum);
        assert!(matches!(error(&encode(&"text")), LineError::Content(_)));
        assert!(matches!(decode::<u8>(b"\xff\n").unwrap_err(), LineError::Content(_)));
    }
}
