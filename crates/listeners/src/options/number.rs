//! Parsers of numbers as Python's int() and float() read them, and of sizes and times as supervisor's datatypes do.

use std::time::Duration;

/// Suffixes, all of one length, and what they multiply by.
type Suffixes = [(&'static str, i128)];

const SIZES: &Suffixes = &[("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];
const TIMES: &Suffixes = &[("s", 1), ("m", 60), ("h", 60 * 60), ("d", 24 * 60 * 60)];

/// Python's `int(text)`, except for digits beyond ASCII; a number that does not fit saturates.
pub(super) fn int(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number: i128 = 0;
    for byte in without_underscores(digits)?.bytes() {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        number = number.saturating_mul(10).saturating_add(digit);
    }
    Some(if negative { -number } else { number })
}

/// Python's `float(text)`, except for digits beyond ASCII.
pub(super) fn float(text: &str) -> Option<f64> {
    without_underscores(text.trim())?.parse().ok()
}

/// Removes underscores between two digits; with any other underscore the text is no number.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |n: Option<usize>| n.and_then(|n| bytes.get(n)).is_some_and(u8::is_ascii_digit);
    let stray =
        |(n, byte): (usize, &u8)| *byte == b'_' && !(is_digit(n.checked_sub(1)) && is_digit(Some(n + 1)));
    if text.is_empty() || bytes.iter().enumerate().any(stray) {
        return None;
    }
    Some(text.replace('_', ""))
}

/// A number of bytes: plain, or with KB, MB or GB.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let bytes = multiplied(text, SIZES)?;
    if bytes < 0 { None } else { Some(u64::try_from(bytes).unwrap_or(u64::MAX)) }
}

/// A number of seconds: plain, or with s, m, h or d. It may be negative, as in superlance.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let seconds = multiplied(text, TIMES)?;
    Some(i64::try_from(seconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX }))
}

/// The same for a span of time, which is never negative.
pub(super) fn span(text: &str) -> Option<Duration> {
    u64::try_from(seconds(text)?).ok().map(Duration::from_secs)
}

fn multiplied(text: &str, suffixes: &Suffixes) -> Option<i128> {
    let text = text.to_lowercase();
    let suffixed = suffixes.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, factor)));
    match suffixed {
        Some((number, factor)) => int(number).map(|number| number.saturating_mul(*factor)),
        None => int(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_read_as_python_reads_them() {
        for (text, number) in
            [("10", 10), (" 10\n", 10), ("+1", 1), ("-07", -7), ("1_000", 1000), ("0", 0), ("-0", 0)]
        {
            assert_eq!(int(text), Some(number), "{text:?}");
        }
        for text in ["", " ", "+", "abc", "1.0", "0x10", "1__0", "_1", "1_", "- 1", "+-1", "--1", "1 0"] {
            assert_eq!(int(text), None, "{text:?}");
        }
        assert_eq!(int(&"9".repeat(60)), Some(i128::MAX));
    }

    #[test]
    fn numbers_with_a_point_are_read_as_python_reads_them() {
        for (text, number) in
            [(" 0.5", 0.5), ("5.", 5.0), (".5", 0.5), ("1e3", 1000.0), ("1_0.2_5", 10.25), ("-1", -1.0)]
        {
            assert_eq!(float(text), Some(number), "{text:?}");
        }
        assert!(float("nan").unwrap().is_nan());
        assert_eq!(float("-Infinity"), Some(f64::NEG_INFINITY));
        for text in ["", ".", "1,5", "0x1", "1_", "1_.5", "1._5", "e5", "abc"] {
            assert_eq!(float(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_and_times_take_supervisors_suffixes_in_any_case() {
        for (text, number) in [("10000", 10_000), ("1kb", 1024), ("2 MB", 2 << 20), ("1Gb", 1 << 30)] {
            assert_eq!(bytes(text), Some(number), "{text:?}");
        }
        for text in ["", "KB", "1k", "1b", "1.5GB", "-1MB", "1TB", "MB1"] {
            assert_eq!(bytes(text), None, "{text:?}");
        }
        assert_eq!(bytes("99999999999GB"), Some(u64::MAX));
        for (text, number) in [("90", 90), ("90S", 90), ("5m", 300), ("2H", 7200), ("1d", 86_400), ("-5", -5)]
        {
            assert_eq!(seconds(text), Some(number), "{text:?}");
        }
        assert_eq!(seconds("5w"), None);
        assert_eq!(seconds(&format!("{}d", "9".repeat(60))), Some(i64::MAX));
        assert_eq!(span("-5"), None);
        assert_eq!(span("1m"), Some(Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "\\PC{0,40}") {
            let _ = (int(&text), float(&text), bytes(&text), seconds(&text), span(&text));
        }

        #[test]
        fn every_number_comes_back(number in any::<i64>()) {
            prop_assert_eq!(int(&number.to_string()), Some(i128::from(number)));
        }
    }
}
