//! `KEY=value,KEY2="a,b"`: the environment of a section, taken apart as Python's shlex in its older mode does.

use std::collections::BTreeMap;

use crate::value::{InvalidValue, quotable};

/// The pairs; of a key that occurs twice, the last counts.
pub fn parse_env_pairs(text: &str) -> Result<BTreeMap<String, String>, InvalidValue> {
    let tokens = tokens(text).ok_or_else(|| {
        InvalidValue::new("find the closing quotation mark in", text, "No closing quotation")
    })?;
    let mut pairs = BTreeMap::new();
    // What stands between two pairs should be a comma, but the original never looks.
    for pair in tokens.chunks(4) {
        let [key, equals, value, ..] = pair else { return Err(unexpected_end(text)) };
        if equals != "=" {
            return Err(unexpected_end(text));
        }
        pairs.insert(key.clone(), value.trim_matches(['\'', '"']).to_owned());
    }
    Ok(pairs)
}

fn unexpected_end(text: &str) -> InvalidValue {
    let original = format!("Unexpected end of key/value pairs in value '{}'", quotable(text));
    InvalidValue::new("read as KEY=\"value\" pairs with commas between them", text, original)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_/.+-():".contains(c)
}

/// The tokens of `shlex.shlex(text)` with the word characters of supervisord; `None` where a quotation is not closed.
///
/// A quotation mark at the beginning of a token quotes, and ends the token; within a word it is a letter. `#` drops
/// the rest of a line, and a word goes on behind that.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            ' ' | '\t' | '\r' | '\n' => behind,
            '#' => next_line(behind),
            quote @ ('\'' | '"') => {
                let end = behind.find(quote)? + 2;
                tokens.push(rest[..end].to_owned());
                &rest[end..]
            }
            first if is_word(first) => {
                let (token, behind) = word(rest);
                tokens.push(token);
                behind
            }
            sign => {
                tokens.push(String::from(sign));
                behind
            }
        };
    }
    Some(tokens)
}

/// The word at the beginning of a text, and what is behind it.
fn word(text: &str) -> (String, &str) {
    let mut token = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c| !is_word(c) && c != '\'' && c != '"').unwrap_or(rest.len());
        token.push_str(&rest[..end]);
        rest = &rest[end..];
        match rest.strip_prefix('#') {
            Some(comment) => rest = next_line(comment),
            None => return (token, rest),
        }
    }
}

fn next_line(text: &str) -> &str {
    text.find('\n').map_or("", |at| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, String> {
        parse_env_pairs(text).map(|pairs| pairs.into_iter().collect()).map_err(|bad| bad.original)
    }

    fn good(expected: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        Ok(expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn pairs_are_read_as_the_original_reads_them() {
        for (text, expected) in [
            ("", good(&[])),
            ("A=b", good(&[("A", "b")])),
            ("A=\"b,c\",D='e'", good(&[("A", "b,c"), ("D", "e")])),
            ("A=b,", good(&[("A", "b")])),
            ("A=/x/y.z-1:2(3)+4 , B=c\n,C=d", good(&[("A", "/x/y.z-1:2(3)+4"), ("B", "c"), ("C", "d")])),
            ("A=b B=c", Err("Unexpected end of key/value pairs in value 'A=b B=c'".to_owned())),
            ("A=b;B=c", good(&[("A", "b"), ("B", "c")])),
            ("A=b#c\nd", good(&[("A", "bd")])),
            ("A=b'c d'", good(&[("A", "b'c")])),
            ("A='b", Err("No closing quotation".to_owned())),
            ("A=", Err("Unexpected end of key/value pairs in value 'A='".to_owned())),
            ("A", Err("Unexpected end of key/value pairs in value 'A'".to_owned())),
            ("'A'=b", good(&[("'A'", "b")])),
            ("A=\"'b'\"", good(&[("A", "b")])),
            ("A=''", good(&[("A", "")])),
            ("A=b,A=c", good(&[("A", "c")])),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
