//! A text into words by a shell's quotation marks, with the place of each; no text is refused.

use std::ops::Range;

/// A line end that a shell does not see.
const CONTINUED: &str = "\\\n";

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// What it is without quotation marks.
    pub(super) value: String,
    /// Its bytes in the text, quotation marks included.
    pub(super) span: Range<usize>,
    /// There is a line end between it and the word before.
    pub(super) begins_line: bool,
}

impl Word {
    /// A word that was one already.
    pub(super) fn whole(value: &str) -> Self {
        Self { value: value.to_owned(), span: 0..value.len(), begins_line: false }
    }
}

/// The words of `text`. A quotation mark without its second is an ordinary character: a text may be a sentence.
pub(super) fn split(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut open = Unpaired::default();
    let mut begins_line = true;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with(CONTINUED) {
            at += CONTINUED.len();
            continue;
        }
        if c.is_whitespace() {
            begins_line |= c == '\n' || c == '\r';
            at += c.len_utf8();
            continue;
        }
        let (value, end) = word(text, at, &mut open);
        words.push(Word { value, span: at..end, begins_line });
        begins_line = false;
        at = end;
    }
    words
}

/// From where on no mark of a kind has a second one: looked for once, so that many marks cost no more than one.
#[derive(Default)]
struct Unpaired {
    single: Option<usize>,
    double: Option<usize>,
}

/// The word that begins at `start`, and where it ends.
fn word(text: &str, start: usize, open: &mut Unpaired) -> (String, usize) {
    let mut value = String::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        let behind = at + c.len_utf8();
        match c {
            _ if c.is_whitespace() => break,
            '\\' if text[at..].starts_with(CONTINUED) => at += CONTINUED.len(),
            '\\' => {
                let Some(next) = text[behind..].chars().next() else {
                    value.push(c);
                    at = behind;
                    continue;
                };
                value.push(next);
                at = behind + next.len_utf8();
            }
            '\'' | '"' => match quoted(text, behind, c, open) {
                Some((inner, end)) => {
                    value.push_str(&inner);
                    at = end;
                }
                None => {
                    value.push(c);
                    at = behind;
                }
            },
            _ => {
                value.push(c);
                at = behind;
            }
        }
    }
    (value, at)
}

/// What stands between here and the second mark, and the place behind that.
fn quoted(text: &str, start: usize, mark: char, open: &mut Unpaired) -> Option<(String, usize)> {
    let known = if mark == '"' { &mut open.double } else { &mut open.single };
    if known.is_some_and(|from| start >= from) {
        return None;
    }
    let mut inner = String::new();
    let mut characters = text[start..].char_indices();
    while let Some((offset, c)) = characters.next() {
        match c {
            _ if c == mark => return Some((inner, start + offset + 1)),
            '\\' if mark == '"' => match characters.next() {
                Some((_, next @ ('"' | '\\' | '$' | '`'))) => inner.push(next),
                Some((_, next)) => inner.extend(['\\', next]),
                None => break,
            },
            _ => inner.push(c),
        }
    }
    *known = Some(start);
    None
}

/// A word for people: in quotation marks where it has blanks.
pub(super) fn quote(word: &str) -> String {
    if word.contains(char::is_whitespace) {
        format!("\"{}\"", word.replace('"', "'"))
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<String> {
        split(text).into_iter().map(|word| word.value).collect()
    }

    #[test]
    fn words_are_those_of_a_shell_and_an_apostrophe_is_a_character() {
        assert_eq!(values(r#"a 'b c' "d \"e" f\ g"#), ["a", "b c", "d \"e", "f g"]);
        assert_eq!(values("cannot: it's gone"), ["cannot:", "it's", "gone"]);
        assert_eq!(values("--x='a b'c"), ["--x=a bc"]);
        assert_eq!(values(""), [""; 0]);
    }

    proptest! {
        #[test]
        fn every_character_that_is_no_blank_stands_in_a_word(text in "(?s).{0,60}") {
            let mut end = 0;
            for word in split(&text) {
                let between = text[end..word.span.start].replace(CONTINUED, "");
                prop_assert!(between.chars().all(char::is_whitespace));
                prop_assert!(word.span.end > word.span.start);
                end = word.span.end;
            }
            prop_assert!(text[end..].replace(CONTINUED, "").chars().all(char::is_whitespace));
        }
    }
}
