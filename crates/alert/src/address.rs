//! Mail addresses as people write them (RFC 5322, 3.4): lists, display names, comments.

/// The addresses of comma separated lists. A comma in a quoted name or between angle brackets is no separator.
pub fn addresses(lists: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for list in lists {
        let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
        let mut start = 0;
        for (at, c) in list.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '<' if !quoted => bracketed = true,
                '>' if !quoted => bracketed = false,
                ',' if !quoted && !bracketed => {
                    found.push(&list[start..at]);
                    start = at + 1;
                }
                _ => {}
            }
        }
        found.push(&list[start..]);
    }
    found.into_iter().map(str::trim).filter(|address| !address.is_empty()).map(str::to_owned).collect()
}

/// The bare address of `Name <user@host>` or `user@host (Name)`, for the envelope.
pub fn bare(address: &str) -> &str {
    let inner = match address.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default(),
        None => address.split('(').next().unwrap_or_default(),
    };
    inner.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(lists: &[&str]) -> Vec<String> {
        addresses(&lists.iter().map(|list| (*list).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn lists_are_divided_at_commas_outside_of_names() {
        assert_eq!(split(&["a@x, b@y ,,", "", "c@z"]), ["a@x", "b@y", "c@z"]);
        let named = r#""Doe, \"J\", Jane" <j@x>"#;
        assert_eq!(split(&[&format!("{named},k@x")]), [named, "k@x"]);
        assert_eq!(split(&[r#""unclosed, a@x"#]), [r#""unclosed, a@x"#]);
        assert!(split(&[]).is_empty());
    }

    #[test]
    fn the_envelope_takes_the_bare_address() {
        for text in ["Zoë <zoe@x>", " zoe@x ", "zoe@x (Zoë)", "Zoë <zoe@x", "<zoe@x>"] {
            assert_eq!(bare(text), "zoe@x", "{text}");
        }
    }
}
