//! Fields of a query or a form, bounded and decoded: [`Fields`].

use std::borrow::Cow;

use ironlance_core::text::url_encoding;

/// Further fields are ignored; the page's forms have five.
const MAX_FIELDS: usize = 32;
/// A longer text (bytes, undecoded) is ignored.
const MAX_BYTES: usize = 16 * 1024;

/// The fields of a query or of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// Reads `name=value&name=value` (application/x-www-form-urlencoded). Malformed escapes are kept; invalid UTF-8
    /// becomes U+FFFD. Any input is accepted.
    pub fn parse(text: &'a str) -> Self {
        let text = text.get(..MAX_BYTES).unwrap_or(if text.len() < MAX_BYTES { text } else { "" });
        let fields = text.split('&').filter(|field| !field.is_empty()).take(MAX_FIELDS);
        Self(
            fields
                .map(|field| {
                    let (name, value) = field.split_once('=').unwrap_or((field, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The value of the first field with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The same, unless it is empty.
    pub fn get_nonempty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return text.into();
    }
    let out = url_encoding::decode_lossy(&text.replace('+', " "));
    match String::from_utf8_lossy(&out) {
        Cow::Borrowed(valid) => valid.to_owned().into(),
        Cow::Owned(mended) => mended.into(),
    }
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
        assert_eq!(fields.get_nonempty("empty"), None);
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
        assert_eq!(Fields::parse(&many).0.len(), MAX_FIELDS);
        let long = format!("b=2&a={}", "x".repeat(MAX_BYTES));
        assert!(Fields::parse(&long).get("a").is_none_or(|value| value.len() < MAX_BYTES));
    }

    proptest! {
        #[test]
        fn whatever_was_encoded_comes_back(name in ".*", value in ".*") {
            let query = format!("{}={}", url_encoding::encode(&name), url_encoding::encode(&value));
            prop_assert!(query.is_ascii() && !query.contains(['"', '<', '\'', '>']));
            let fields = Fields::parse(&query);
            if query.len() < MAX_BYTES && !(name.is_empty() && value.is_empty()) {
                prop_assert_eq!(fields.get(&name), Some(&*value));
            }
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let fields = Fields::parse(&text);
            prop_assert!(fields.0.len() <= MAX_FIELDS);
        }
    }
}
