//! What comes from outside made harmless before a channel escapes it for its dialect: [`clean`].
//!
//! Names, output and answers of checks are written by others: they can hold sequences for terminals, characters that turn
//! the direction of writing, and lines without an end.

use ironlance_core::text::ansi::without_sequences;
use ironlance_core::text::escape::is_terminal_control;

/// The characters of a line that are shown.
pub const LONGEST_LINE: usize = 300;

/// One line of `text`: without control characters, those that turn the direction of writing, and sequences for terminals;
/// line ends and tabs are spaces. Cut at [`LONGEST_LINE`] characters.
pub fn clean(text: &str) -> String {
    // Much more than can be shown is not read at all.
    let bounded: String = text.chars().take(LONGEST_LINE * 8).collect();
    let shown = without_sequences(&bounded);
    let mut shown = shown.trim_end().chars().filter_map(|character| match character {
        '\n' | '\t' => Some(' '),
        '\u{61c}' | '\u{feff}' => None,
        other => (!is_terminal_control(other)).then_some(other),
    });
    let mut line: String = shown.by_ref().take(LONGEST_LINE).collect();
    if shown.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequences_controls_and_turned_writing_are_taken_out() {
        assert_eq!(clean("\x1b[31mred\x1b[0m\tand\u{202e}dlo\u{0}\r\nmore \n"), "red anddlo more");
        assert_eq!(clean("<!channel> @all"), "<!channel> @all");
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(clean(&"é".repeat(300)), "é".repeat(300));
        assert_eq!(clean(&"é".repeat(301)), "é".repeat(299) + "…");
        assert_eq!(clean(&"x".repeat(1 << 20)).chars().count(), LONGEST_LINE);
    }

    proptest! {
        #[test]
        fn a_clean_line_is_one_line_without_controls(text in any::<String>()) {
            let line = clean(&text);
            prop_assert!(line.chars().count() <= LONGEST_LINE);
            prop_assert!(!line.chars().any(is_terminal_control));
        }
    }
}
