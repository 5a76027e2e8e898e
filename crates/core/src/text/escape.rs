//! Control characters made visible: names and output of others must not control the terminal that shows them.

use std::fmt::Write;

/// `text` in one line and harmless: control characters, and those that turn the direction of writing, come as `\n`,
/// `\x1b`, `\u{202e}`.
pub fn escape_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other.is_ascii_control() => {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(other));
            }
            other if is_terminal_control(other) => out.extend(other.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}

/// `text` in one line: each control character is a space.
pub fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// Whether a terminal would act on it instead of showing it.
pub fn is_terminal_control(character: char) -> bool {
    character.is_control() || is_bidi_control(character)
}

/// Characters that change the order in which a line is displayed (Unicode UAX #9, and the line separators).
const fn is_bidi_control(character: char) -> bool {
    matches!(character,
        '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
