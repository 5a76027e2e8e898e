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

    fn encode(&mut self, mut rest: &[u8], out: &mut String) {
        while !rest.is_empty() {
            // Text is nearly always valid, and the standard library checks many bytes at once.
            let error = match std::str::from_utf8(rest) {
                Ok(valid) => return write::text(out, valid),
                Err(error) => error,
            };
            let (valid, after) = rest.split_at(error.valid_up_to());
            write::text(out, std::str::from_utf8(valid).unwrap_or_default());
            // Near an invalid byte others are likely: the next bytes are decoded one by one.
            let mut at = 0;
            while at < after.len().min(BYTEWISE_RUN) {
                match decode_first(&after[at..]) {
                    Character::Whole(width) => {
                        let bytes = &after[at..at + width];
                        match bytes {
                            [plain @ b' '..=b'~'] if !matches!(plain, b'&' | b'<' | b'>') => {
                                out.push(char::from(*plain));
                            }
                            _ => write::text(out, std::str::from_utf8(bytes).unwrap_or_default()),
                        }
                        at += width;
                    }
                    Character::Invalid(width) => {
                        out.push(char::REPLACEMENT_CHARACTER);
                        at += width;
                    }
                    Character::Partial => {
                        self.partial = after[at..].to_vec();
                        return;
                    }
                }
            }
            rest = &after[at..];
        }
    }
}

/// How many bytes after an invalid one are decoded one by one.
const BYTEWISE_RUN: usize = 1024;

/// The first character of some bytes (The Unicode Standard, table 3-7).
enum Character {
    /// A character, with its length in bytes.
    Whole(usize),
    /// Invalid bytes, with their number.
    Invalid(usize),
    /// Incomplete: more bytes may complete it.
    Partial,
}

/// Decodes the first character of `bytes`, which must not be empty.
fn decode_first(bytes: &[u8]) -> Character {
    let (width, second) = match bytes[0] {
        0..=0x7f => return Character::Whole(1),
        0xc2..=0xdf => (2, 0x80..=0xbf),
        0xe0 => (3, 0xa0..=0xbf),
        0xed => (3, 0x80..=0x9f),
        0xe1..=0xef => (3, 0x80..=0xbf),
        0xf0 => (4, 0x90..=0xbf),
        0xf1..=0xf3 => (4, 0x80..=0xbf),
        0xf4 => (4, 0x80..=0x8f),
        _ => return Character::Invalid(1),
    };
    for at in 1..width {
        match bytes.get(at) {
            None => return Character::Partial,
            Some(byte) if at == 1 && second.contains(byte) => {}
            Some(0x80..=0xbf) if at > 1 => {}
            Some(_) => return Character::Invalid(at),
        }
    }
    Character::Whole(width)
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
