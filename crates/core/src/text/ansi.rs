//! Escape sequences of terminals, taken out of output: [`strip`] as Supervisor does it, [`without_sequences`] by the standard.

use std::borrow::Cow;

/// What a sequence begins with.
const BEGIN: &[u8] = b"\x1b[";

/// The letters that end a sequence, those of the original.
const ENDS: &[u8] = b"HfABCDRsuJKhlpm";

/// `data` without escape sequences (`stripEscapes` in dispatchers.py).
///
/// Each piece stands for itself: a sequence that is cut off at its end is dropped to the end, and the rest of it in
/// the next piece is not known as such.
pub fn strip(data: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut begin) = find(data) else { return Cow::Borrowed(data) };
    let mut rest = data;
    let mut shown = Vec::with_capacity(data.len());
    loop {
        shown.extend_from_slice(&rest[..begin]);
        let sequence = &rest[begin..];
        let Some(end) = sequence.iter().position(|byte| ENDS.contains(byte)) else { break };
        rest = &sequence[end + 1..];
        match find(rest) {
            Some(next) => begin = next,
            None => {
                shown.extend_from_slice(rest);
                break;
            }
        }
    }
    Cow::Owned(shown)
}

/// `text` without control sequences (ECMA-48, 5.4). One that is broken off takes a letter with it at most: what stands
/// behind it may be the reason that is looked for. A sequence may begin with the picture of its control character: in XML
/// ironlance's supervisord shows them so (docs/xmlrpc.md).
pub fn without_sequences(text: &str) -> String {
    let text = text.replace('\u{241b}', "\x1b");
    let mut pieces = text.split("\x1b[");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|char| matches!(char, '\x20'..='\x3f'));
        out.push_str(rest.strip_prefix(|char| matches!(char, '\x40'..='\x7e')).unwrap_or(rest));
    }
    out
}

fn find(data: &[u8]) -> Option<usize> {
    data.windows(BEGIN.len()).position(|window| window == BEGIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_and_movements_are_taken_out() {
        assert_eq!(&*strip(b"\x1b[34mblue\x1b[0m \x1b[2Jclear\n"), b"blue clear\n");
        assert!(matches!(strip(b"plain [0m\n"), Cow::Borrowed(_)));
        assert_eq!(&*strip(b"a\x1b[\x1b[1;2mb"), b"ab");
    }

    #[test]
    fn a_sequence_without_an_end_takes_the_rest_with_it() {
        assert_eq!(&*strip(b"a\x1b[31;"), b"a");
        assert_eq!(&*strip(b"a\x1b[31;tttx\xff"), b"a");
    }

    #[test]
    fn control_sequences_take_no_words_with_them() {
        for (text, shown) in [
            ("\x1b[1;31mred\x1b[0m and\x1b[K plain\x1b[", "red and plain"),
            ("\u{241b}[6nwhere am I", "where am I"),
            ("\x1b[?25hdone\x1b[ qdone", "donedone"),
            ("fatal: \x1b[31;\nno such file", "fatal: \nno such file"),
            ("\x1b[31\x1b[32mx é", "x é"),
        ] {
            assert_eq!(without_sequences(text), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_but_bytes_of_the_data_comes_out_in_order(data in prop::collection::vec(
            prop::sample::select(b"\x1b[mKx1;\n".to_vec()), 0..60)) {
            let out = strip(&data).into_owned();
            let mut left = data.iter();
            prop_assert!(out.iter().all(|byte| left.any(|other| other == byte)));
        }
    }
}
