//! Bytes of any kind to the text of an answer, piece by piece: a long log never has to be in memory as a whole.

use crate::write;

/// Makes XML of bytes that arrive in pieces. However they are cut, the result is that of all bytes at once: what is no
/// UTF-8 becomes U+FFFD, as `String::from_utf8_lossy` does it, and the rest is escaped as in any other text.
#[derive(Debug, Default)]
pub struct TextEncoder {
    /// The begin of a character whose end has not come yet, three bytes at most.
    begun: Vec<u8>,
}

impl TextEncoder {
    /// Appends to `out` what these bytes are in XML. The begin of a character waits for its end.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.begun.is_empty() {
            return self.encode(bytes, out);
        }
        let mut joined = std::mem::take(&mut self.begun);
        joined.extend_from_slice(bytes);
        self.encode(&joined, out);
    }

    /// The end of all bytes: a character that was only begun becomes U+FFFD.
    pub fn finish(self, out: &mut String) {
        if !self.begun.is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn encode(&mut self, mut rest: &[u8], out: &mut String) {
        while !rest.is_empty() {
            // Text is nearly always valid, and the standard library looks at many bytes at once.
            let error = match std::str::from_utf8(rest) {
                Ok(valid) => return write::text(out, valid),
                Err(error) => error,
            };
            let (valid, after) = rest.split_at(error.valid_up_to());
            write::text(out, std::str::from_utf8(valid).unwrap_or_default());
            // Where one byte is no text, those around it are probably none: a stretch is looked at byte by byte.
            let mut at = 0;
            while at < after.len().min(STRETCH) {
                match character(&after[at..]) {
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
                    Character::Broken(width) => {
                        out.push(char::REPLACEMENT_CHARACTER);
                        at += width;
                    }
                    Character::Begun => {
                        self.begun = after[at..].to_vec();
                        return;
                    }
                }
            }
            rest = &after[at..];
        }
    }
}

/// So many bytes are looked at one by one after one that is no text.
const STRETCH: usize = 1024;

/// What stands at the begin of some bytes (The Unicode Standard, table 3-7).
enum Character {
    /// A character of so many bytes.
    Whole(usize),
    /// So many bytes that are none, and cannot become one.
    Broken(usize),
    /// All that there is may become one with what follows.
    Begun,
}

/// `bytes` are not empty.
fn character(bytes: &[u8]) -> Character {
    let (width, second) = match bytes[0] {
        0..=0x7f => return Character::Whole(1),
        0xc2..=0xdf => (2, 0x80..=0xbf),
        0xe0 => (3, 0xa0..=0xbf),
        0xed => (3, 0x80..=0x9f),
        0xe1..=0xef => (3, 0x80..=0xbf),
        0xf0 => (4, 0x90..=0xbf),
        0xf1..=0xf3 => (4, 0x80..=0xbf),
        0xf4 => (4, 0x80..=0x8f),
        _ => return Character::Broken(1),
    };
    for at in 1..width {
        match bytes.get(at) {
            None => return Character::Begun,
            Some(byte) if at == 1 && second.contains(byte) => {}
            Some(0x80..=0xbf) if at > 1 => {}
            Some(_) => return Character::Broken(at),
        }
    }
    Character::Whole(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes as logs have them: text, escapes, characters of several bytes, and rubbish.
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
