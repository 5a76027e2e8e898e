//! Escapes texts as values of supervisord.conf, against its comments, its expansions and its splitting of commands.

/// A command line of these words, as the value of `command=`.
pub(super) fn command(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    value(&words.join(" "))
}

/// A text as a value: percent signs are doubled, as one begins an expansion.
pub(super) fn value(text: &str) -> String {
    text.replace('%', "%%")
}

/// Whether a text contains the start of a comment: a semicolon or a number sign behind a space, also in quotes.
pub(super) fn has_comment(text: &str) -> bool {
    text.match_indices([';', '#']).any(|(at, _)| text[..at].ends_with(char::is_whitespace))
}

/// A word quoted for `shlex`, without the start of a comment.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-{}!*".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut out = String::from("'");
    let mut before = '\'';
    for c in word.chars() {
        match c {
            '\'' => out.push_str("'\"'\"'"),
            // Empty quotes separate the sign from the space.
            ';' | '#' if before.is_whitespace() => {
                out.push_str("''");
                out.push(c);
            }
            _ => out.push(c),
        }
        before = c;
    }
    out.push('\'');
    out
}

/// A word quoted for a shell.
pub(crate) fn for_shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_config::expansion::{EnvVariables, ExpansionNames, expand};
    use ironlance_config::ini::Ini;
    use ironlance_core::text::shlex;
    use proptest::prelude::*;

    /// The words that a supervisord makes of the value.
    fn read_back(value: &str) -> Vec<String> {
        let mut ini = Ini::default();
        ini.read(&format!("[program:x]\ncommand={value}\n"), 0).unwrap();
        let text = &ini.get(ini.section("program:x").unwrap(), "command").unwrap().value;
        let text = expand(text, &ExpansionNames::default(), &EnvVariables::default(), "command").unwrap();
        shlex::split(&text.text).unwrap()
    }

    #[test]
    fn signs_that_mean_something_come_back_as_they_were() {
        for word in
            ["", "a b", "100%", "%(here)s", " ; not a comment", "a # b", ";", "it's", "\"", "\\", "a\\ b"]
        {
            let words = ["echo".to_owned(), word.to_owned(), "#last".to_owned()];
            assert_eq!(read_back(&command(&words)), words, "{}", command(&words));
        }
        assert_eq!(command(&["echo".into(), "a=b,c@d".into()]), "echo a=b,c@d");
        assert!(has_comment("a ;b") && has_comment("'a #'") && !has_comment("a;b#c"));
    }

    proptest! {
        #[test]
        fn any_words_come_back(words in prop::collection::vec("[ -~äß;#%'\"\\\\]{0,12}", 1..5)) {
            let words = [vec!["echo".to_owned()], words].concat();
            prop_assert_eq!(read_back(&command(&words)), words);
        }
    }
}
