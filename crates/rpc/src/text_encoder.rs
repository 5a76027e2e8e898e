//! Streaming conversion of bytes to escaped XML text: [`TextEncoder`], so that a long log is never in memory as a whole.

use crate::write;

/// Converts bytes that arrive in pieces. The result does not depend on where the pieces are cut: invalid UTF-8 becomes
/// U+FFFD as in `String::from_utf8_lossy`, everything else is escaped as in any other text.
#[derive(Debug, Default)]
pub struct TextEncoder {
    /// The first bytes of a character that is not complete yet, three at most.
    partial: Vec<u8>,
}

impl TextEncoder {
    /// Appends the XML text of `bytes` to `out`. An incomplete character waits for its other bytes.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.partial.is_empty() {
            return self.encode(bytes, out);
        }
        let mut joined = std::mem::take(&mut self.partial);
        joined.extend_from_slice(bytes);
        self.encode(&joined, out);
    }

    /// Ends the text: an incomplete character becomes U+FFFD.
    pub fn finish(self, out: &mut String) {
        if !self.partial.is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn encode(&mut self, bytes: &[u8], out: &mut String) {
        // Text is nearly always valid, and from_utf8 checks many bytes at once.
        if let Ok(valid) = std::str::from_utf8(bytes) {
            return write::text(out, valid);
        }
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            write::text(out, chunk.valid());
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && is_incomplete(invalid) {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

/// Whether more bytes may make a character of `invalid`.
fn is_incomplete(invalid: &[u8]) -> bool {
    std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes as in logs: text, escapes, multi-byte characters, and garbage.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let run = prop_oneof![
            "[ -~\n\t\x1b]{0,20}".prop_map(String::into_bytes),
            "[é的🦀\u{fffe}\u{ffff}\u{fffd}]{0,6}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..12),
        ];
        prop::collection::vec(run, 0..8).prop_map(|runs| runs.concat())
    }

    proptest! {
        #[test]
        fn bytes_in_pieces_become_the_text_of_all_bytes_at_once(
            bytes in bytes(),
            cuts in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let (mut encoder, mut pieces) = (TextEncoder::default(), String::new());
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                encoder.push(piece, &mut pieces);
                rest = after;
            }
            encoder.finish(&mut pieces);
            let mut whole = String::new();
            write::text(&mut whole, &String::from_utf8_lossy(&bytes));
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn a_character_that_never_ends_is_one_mark() {
        for cut in [&b"\xf0\x9f\xa6"[..], b"\xe7\x9a", b"\xc3"] {
            let (mut encoder, mut out) = (TextEncoder::default(), String::new());
            cut.iter().for_each(|byte| encoder.push(std::slice::from_ref(byte), &mut out));
            assert_eq!(out, "");
            encoder.finish(&mut out);
            assert_eq!(out, "\u{fffd}");
        }
    }
}
