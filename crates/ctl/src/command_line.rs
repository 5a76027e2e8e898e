//! Parsing of a shell line into verb and arguments, as Python's cmd.py does it.

/// A parsed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandLine<'l> {
    /// Blank.
    Empty,
    /// It does not begin with a verb; the whole line.
    Unknown(&'l str),
    /// A verb and its arguments, both without space around.
    Verb {
        /// The verb: letters, digits and underscores.
        name: &'l str,
        /// The arguments.
        rest: &'l str,
        /// The whole line.
        line: &'l str,
    },
}

/// Parses a line. `?` is short for `help`; `!`, which would start a shell, is unknown.
pub(crate) fn parse(line: &str) -> CommandLine<'_> {
    let line = strip(line);
    match line.chars().next() {
        None => CommandLine::Empty,
        Some('?') => CommandLine::Verb { name: "help", rest: strip(&line[1..]), line },
        Some('!') => CommandLine::Unknown(line),
        Some(_) => {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = line.find(|c: char| !is_word(c)).unwrap_or(line.len());
            match line.split_at(end) {
                ("", _) => CommandLine::Unknown(line),
                (name, rest) => CommandLine::Verb { name, rest: strip(rest), line },
            }
        }
    }
}

/// The words of a text, as Python's `split()` gives them.
pub(crate) fn words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}

fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether Python takes it for space: Unicode white space, and the four ASCII separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verb<'l>(name: &'l str, rest: &'l str, line: &'l str) -> CommandLine<'l> {
        CommandLine::Verb { name, rest, line }
    }

    #[test]
    fn a_line_is_a_word_and_the_rest() {
        assert_eq!(parse("  start  a b \n"), verb("start", "a b", "start  a b"));
        assert_eq!(parse("status"), verb("status", "", "status"));
        assert_eq!(parse("tail-f x"), verb("tail", "-f x", "tail-f x"));
        assert_eq!(parse("status2 x"), verb("status2", "x", "status2 x"));
        assert_eq!(parse("EOF"), verb("EOF", "", "EOF"));
    }

    #[test]
    fn a_question_mark_asks_for_help() {
        assert_eq!(parse("?"), verb("help", "", "?"));
        assert_eq!(parse(" ? start "), verb("help", "start", "? start"));
        assert_eq!(parse("?start"), verb("help", "start", "?start"));
    }

    #[test]
    fn what_begins_with_no_word_is_unknown() {
        assert_eq!(parse("!ls"), CommandLine::Unknown("!ls"));
        assert_eq!(parse("-f x"), CommandLine::Unknown("-f x"));
        assert_eq!(parse("état"), CommandLine::Unknown("état"));
        assert_eq!(parse(" \t\x1c"), CommandLine::Empty);
    }

    proptest! {
        #[test]
        fn any_line_can_be_taken_apart(line in "\\PC*") {
            match parse(&line) {
                CommandLine::Empty => prop_assert!(words(&line).is_empty()),
                CommandLine::Unknown(whole) => prop_assert!(line.contains(whole)),
                CommandLine::Verb { name, rest, line: whole } => {
                    prop_assert!(!name.is_empty());
                    prop_assert!(line.contains(whole) && whole.ends_with(rest));
                }
            }
        }
    }
}
