//! The status line of a response, read as Python's http.client reads it. hyper drops a reason that is not ASCII and a
//! line that is not HTTP; error messages need both.

use std::sync::{Arc, OnceLock};

/// The longest line that is stored, in bytes.
const MAX_LENGTH: usize = 1024;

/// The first line that arrived over a connection; shared between the stream that records it and its reader.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatusLine(Arc<OnceLock<Vec<u8>>>);

impl StatusLine {
    /// Stores the first line of the first piece; ignores later pieces.
    pub(crate) fn record(&self, piece: &[u8]) {
        if !piece.is_empty() {
            self.0.get_or_init(|| {
                let end = piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |end| end + 1);
                piece[..end.min(MAX_LENGTH)].to_vec()
            });
        }
    }

    /// The line, decoded as Latin-1.
    fn text(&self) -> Option<String> {
        Some(self.0.get()?.iter().copied().map(char::from).collect())
    }

    /// The reason phrase, if the line has this status.
    pub(crate) fn reason(&self, status: u16) -> Option<String> {
        let line = self.text().filter(|line| line.ends_with('\n'))?;
        let (_, code, reason) = split(&line);
        (code.parse() == Ok(status)).then(|| reason.to_owned())
    }

    /// What is wrong with the line, as Python words it: the line itself, or its version. `None` when it is valid.
    pub(crate) fn fault(&self) -> Option<String> {
        let line = self.text()?;
        let (version, code, _) = split(&line);
        let is_status = code.parse().is_ok_and(|code: u16| (100..=999).contains(&code));
        if !version.starts_with("HTTP/") || !is_status {
            // The text goes to logs: no control characters from outside.
            let shown = |c: char| if c.is_control() && !"\r\n\t".contains(c) { '?' } else { c };
            return Some(line.chars().map(shown).collect());
        }
        let is_known = version.starts_with("HTTP/1.") || version == "HTTP/0.9";
        (!is_known).then(|| version.to_owned())
    }
}

/// Version, status and reason; empty where missing.
fn split(line: &str) -> (&str, &str, &str) {
    fn first_word(text: &str) -> (&str, &str) {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        (word, rest.trim_start())
    }
    let (version, rest) = first_word(line.trim());
    let (code, reason) = first_word(rest);
    (version, code, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recorded(piece: &[u8]) -> StatusLine {
        let line = StatusLine::default();
        line.record(piece);
        line.record(b"HTTP/1.1 200 later\r\n");
        line
    }

    #[test]
    fn a_reason_is_latin_1_without_the_blanks_around_it() {
        for (line, reason) in [
            (&b"HTTP/1.1 500 Gr\xf6\xdfe\r\nX: y\r\n"[..], Some("Größe")),
            (b"HTTP/1.1 500   a  b \r\n", Some("a  b")),
            (b"HTTP/1.1 500\r\n", Some("")),
            (b"HTTP/1.1 500 cut", None),
            (b"HTTP/1.1 100 Continue\r\n", None),
            (b"", Some("later")),
        ] {
            let status = if line.is_empty() { 200 } else { 500 };
            assert_eq!(recorded(line).reason(status).as_deref(), reason, "{line:?}");
        }
    }

    #[test]
    fn what_is_no_status_line_is_its_own_fault() {
        for (line, fault) in [
            (&b"SSH-2.0-x\r\nmore"[..], Some("SSH-2.0-x\r\n")),
            (b"\x1b[1m\xff", Some("?[1mÿ")),
            (b"HTTP/1.1 abc OK\r\n", Some("HTTP/1.1 abc OK\r\n")),
            (b"HTTP/1.1 2000 OK\r\n", Some("HTTP/1.1 2000 OK\r\n")),
            (b"HTTP/2.0 200 OK\r\n", Some("HTTP/2.0")),
            (b"HTTP/1.1 200 OK\r\n", None),
        ] {
            assert_eq!(recorded(line).fault().as_deref(), fault, "{line:?}");
        }
        assert_eq!(StatusLine::default().fault(), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in proptest::collection::vec(any::<u8>(), 0..40), text in "\\PC{0,20}") {
            for line in [recorded(&line), recorded(text.as_bytes())] {
                let _ = (line.reason(200), line.fault());
            }
        }
    }
}
