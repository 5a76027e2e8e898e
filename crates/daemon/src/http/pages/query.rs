//! What stands behind the `?` of an address, and in the forms of the page: names and values, bounded and decoded.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::http::percent;

/// More fields than this are not looked at; the page's forms have five.
const FIELDS: usize = 32;
/// What is longer than this (bytes, undecoded) is not looked at.
const LENGTH: usize = 16 * 1024;

/// The fields of a query or of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// Reads `name=value&name=value` (application/x-www-form-urlencoded). What cannot be decoded is kept as it is;
    /// bytes that are no UTF-8 become U+FFFD. Whatever comes, something can be made of it.
    pub fn parse(text: &'a str) -> Self {
        let text = text.get(..LENGTH).unwrap_or(if text.len() < LENGTH { text } else { "" });
        let fields = text.split('&').filter(|field| !field.is_empty()).take(FIELDS);
        Self(
            fields
                .map(|field| {
                    let (name, value) = field.split_once('=').unwrap_or((field, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The same, where there is something in it.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let out = percent::decoded(&text.replace('+', " "));
    match String::from_utf8_lossy(&out) {
        Cow::Borrowed(valid) => valid.to_owned().into(),
        Cow::Owned(mended) => mended.into(),
    }
}

/// A text as it can stand in a query, in a path and in an attribute: all but letters, digits and `-._~` is escaped.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_values_are_decoded() {
        let fields = Fields::parse("processname=shop%3Aweb%20one&limit=10+24&empty=&bare&limit=3");
        assert_eq!(fields.get("processname"), Some("shop:web one"));
        assert_eq!(fields.get("limit"), Some("10 24"), "the first of a name counts, as in the original");
        assert_eq!((fields.get("empty"), fields.get("bare"), fields.get("none")), (Some(""), Some(""), None));
        assert_eq!(fields.filled("empty"), None);
    }

    #[test]
    fn what_cannot_be_decoded_is_kept() {
        for (text, value) in
            [("a=%", "%"), ("a=%4", "%4"), ("a=%zz", "%zz"), ("a=%+1", "% 1"), ("a=%ff", "\u{fffd}")]
        {
            assert_eq!(Fields::parse(text).get("a"), Some(value), "{text}");
        }
    }

    #[test]
    fn too_much_is_not_looked_at() {
        let many = "a=1&".repeat(1000) + "b=2";
        assert_eq!(Fields::parse(&many).get("b"), None);
        assert_eq!(Fields::parse(&many).0.len(), FIELDS);
        let long = format!("b=2&a={}", "x".repeat(LENGTH));
        assert!(Fields::parse(&long).get("a").is_none_or(|value| value.len() < LENGTH));
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_comes_back(name in ".*", value in ".*") {
            let query = format!("{}={}", encode(&name), encode(&value));
            prop_assert!(query.is_ascii() && !query.contains(['"', '<', '\'', '>']));
            let fields = Fields::parse(&query);
            if query.len() < LENGTH && !(name.is_empty() && value.is_empty()) {
                prop_assert_eq!(fields.get(&name), Some(&*value));
            }
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let fields = Fields::parse(&text);
            prop_assert!(fields.0.len() <= FIELDS);
        }
    }
}
