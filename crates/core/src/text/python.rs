//! Python's `repr` of strings, bytes and lists, which the originals' messages are made of.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// `repr(text)` as CPython 3 gives it.
pub fn repr(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text.chars(), is_printable);
    out
}

/// Appends characters in quotation marks, with what is not printable as an escape.
fn push_quoted(out: &mut String, text: impl Iterator<Item = char> + Clone, is_printable: fn(char) -> bool) {
    let contains = |wanted| text.clone().any(|c| c == wanted);
    let quote = if contains('\'') && !contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => {
                let _ = match u32::from(c) {
                    code @ ..0x100 => write!(out, "\\x{code:02x}"),
                    code @ 0x100..0x1_0000 => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// What `str.isprintable` refuses: controls, formats, private use, and blanks but the space (categories Cc, Cf, Co, Zl,
/// Zp, Zs). Code points that nobody has assigned yet are left as they are.
const UNPRINTABLE: [RangeInclusive<char>; 26] = [
    '\0'..='\x1f',
    '\x7f'..='\u{a0}',
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{1680}'..='\u{1680}',
    '\u{180e}'..='\u{180e}',
    '\u{2000}'..='\u{200f}',
    '\u{2028}'..='\u{202f}',
    '\u{205f}'..='\u{206f}',
    '\u{3000}'..='\u{3000}',
    '\u{e000}'..='\u{f8ff}',
    '\u{feff}'..='\u{feff}',
    '\u{fff0}'..='\u{fffb}',
    '\u{fffe}'..='\u{ffff}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{13438}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0001}'..='\u{e007f}',
    '\u{f0000}'..='\u{10ffff}',
];

fn is_printable(c: char) -> bool {
    // Most text is ASCII.
    (' '..='~').contains(&c) || !UNPRINTABLE.iter().any(|range| range.contains(&c))
}

/// `repr(data)` of bytes, such as `b'\xff'`.
pub fn repr_bytes(data: &[u8]) -> String {
    let mut out = String::with_capacity(data.len() + 3);
    push_repr_bytes(&mut out, data);
    out
}

/// The same, appended to `out`.
fn push_repr_bytes(out: &mut String, data: &[u8]) {
    out.push('b');
    push_quoted(out, data.iter().map(|byte| char::from(*byte)), |c| (' '..='~').contains(&c));
}

/// `repr` of a list of strings.
pub fn repr_list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| repr(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_as_python_quotes_them() {
        assert_eq!(repr("a"), "'a'");
        assert_eq!(repr("it's"), "\"it's\"");
        assert_eq!(repr("it's \"it\""), "'it\\'s \"it\"'");
        assert_eq!(repr("a\\b\n\x1b\u{a0}é"), "'a\\\\b\\n\\x1b\\xa0é'");
        assert_eq!(
            repr("\u{feff}[x]\u{200b}\u{3000}\u{f0000}\0中"),
            "'\\ufeff[x]\\u200b\\u3000\\U000f0000\\x00中'"
        );
        assert_eq!(repr_list(&["a", "b:c"]), "['a', 'b:c']");
        assert_eq!(repr_list::<&str>(&[]), "[]");
    }

    #[test]
    fn bytes_are_shown_as_python_shows_them() {
        assert_eq!(repr_bytes(b""), "b''");
        assert_eq!(repr_bytes(b"a\\\n\r\t\0\x7f\xe9~ "), r"b'a\\\n\r\t\x00\x7f\xe9~ '");
        assert_eq!(repr_bytes(b"it's"), "b\"it's\"");
        assert_eq!(repr_bytes(b"it's \"it\""), "b'it\\'s \"it\"'");
    }
}
