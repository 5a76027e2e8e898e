//! Percent-encoding of URLs and forms (RFC 3986, 2.1).

use std::fmt::Write as _;

/// The bytes that `text` stands for. What is no escape stays as it is, as in Python.
pub fn decode_lossy(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| escaped(&bytes[at + 1..])).flatten();
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

/// What `text` stands for; nothing where a `%` is not followed by two hexadecimal digits, or the bytes are no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut after_sign = text.split('%').skip(1).map(str::as_bytes);
    let is_valid = after_sign.all(|digits| escaped(digits).is_some());
    is_valid.then(|| String::from_utf8(decode_lossy(text)).ok()).flatten()
}

/// A text as it can stand in a query, in a path and in an attribute: all but letters, digits and `-._~` is escaped.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    u8::try_from(digit(0)? << 4 | digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_byte_can_be_written_and_half_a_code_is_refused_or_left_as_it_is() {
        assert_eq!(decode("a%40b%C3%b6"), Some("a@bö".to_owned()));
        for text in ["100%", "%4", "%zz", "%ff", "%+1", "%%41"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode_lossy("100%"), b"100%");
        assert_eq!(decode_lossy("%zz%41%4"), b"%zzA%4");
        assert_eq!(decode_lossy("%ff"), b"\xff");
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(text in any::<String>()) {
            prop_assert_eq!(decode(&encode(&text)), Some(text));
        }

        #[test]
        fn the_strict_and_the_lenient_reader_agree(text in "[%0-9a-f]{0,12}") {
            if let Some(decoded) = decode(&text) {
                prop_assert_eq!(decoded.into_bytes(), decode_lossy(&text));
            }
        }
    }
}
