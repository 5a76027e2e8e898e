//! Whole numbers as Python's `int()` reads them from a text.

use ironlance_core::text::python;

/// More digits than this Python refuses.
const MAX_DIGITS: usize = 4300;

/// `int(text)`: space around it, a sign and single underscores between digits are allowed. What is beyond 64 bits
/// becomes the greatest or least there is. An error has Python's words.
pub(crate) fn integer(text: &str) -> Result<i64, String> {
    let refuse = || format!("invalid literal for int() with base 10: {}", python::repr(text));
    let (sign, digits) = signed(text.trim());
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let value = magnitude(digits, 10).ok_or_else(refuse)?;
    if count > MAX_DIGITS {
        return Err(format!(
            "Exceeds the limit (4300 digits) for integer string conversion: value has {count} digits; use \
             sys.set_int_max_str_digits() to increase the limit"
        ));
    }
    Ok(apply(sign, value))
}

/// `int(text, 8)`: the same with octal digits, which `0o` may precede.
pub(crate) fn octal(text: &str) -> Option<i64> {
    let (sign, digits) = signed(text.trim());
    let digits = match digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O")) {
        Some(rest) => rest.strip_prefix('_').unwrap_or(rest),
        None => digits,
    };
    magnitude(digits, 8).map(|value| apply(sign, value))
}

/// 1 or -1, and what stands behind the sign.
fn signed(text: &str) -> (i128, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn magnitude(digits: &str, base: u32) -> Option<u64> {
    let mut value: u64 = 0;
    let mut behind_digit = false;
    for c in digits.chars() {
        match c.to_digit(base) {
            Some(digit) => {
                value = value.saturating_mul(u64::from(base)).saturating_add(u64::from(digit));
                behind_digit = true;
            }
            None if c == '_' && behind_digit => behind_digit = false,
            None => return None,
        }
    }
    behind_digit.then_some(value)
}

fn apply(sign: i128, value: u64) -> i64 {
    let limit = if sign < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(sign * i128::from(value)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, value) in [
            ("0", Some(0)),
            (" 12 ", Some(12)),
            ("\u{a0}7\x0b", Some(7)),
            ("7\x1f", None),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("007", Some(7)),
            ("1_000", Some(1000)),
            ("9223372036854775808", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MIN)),
            ("", None),
            ("-", None),
            ("- 5", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("0x10", None),
            ("1.0", None),
            ("1e3", None),
        ] {
            assert_eq!(integer(text).ok(), value, "{text:?}");
        }
        assert_eq!(integer(" a'b").unwrap_err(), "invalid literal for int() with base 10: \" a'b\"");
        assert!(integer(&"1".repeat(4301)).unwrap_err().contains("value has 4301 digits"));
    }

    #[test]
    fn octal_numbers_may_say_that_they_are() {
        for (text, value) in [
            ("022", Some(0o22)),
            ("22", Some(0o22)),
            ("0o22", Some(0o22)),
            ("0O_22", Some(0o22)),
            ("-1", Some(-1)),
            (" 700 ", Some(0o700)),
            ("8", None),
            ("0o", None),
            ("", None),
            ("0x1", None),
        ] {
            assert_eq!(octal(text), value, "{text:?}");
        }
    }
}
