//! A fast path for responses in the form that supervisord writes: no attributes, comments or rare types.
//!
//! A list of 1,000 processes is a megabyte, and reading it is most of the cost of `status`. Anything in another form is
//! left to the full parser, which also reports errors.

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::parser::{MEMBERS, intern, normalize_newlines};
use crate::value::Value;

/// The value of a response; `None` for a fault and for any other form.
pub(super) fn response(text: &str) -> Option<Value> {
    let mut cursor = Cursor { rest: text };
    if let Some(declared) = text.strip_prefix("<?xml ") {
        cursor.rest = &declared[declared.find("?>")? + 2..];
    }
    ["<methodResponse>", "<params>", "<param>", "<value>"].into_iter().try_for_each(|tag| cursor.tag(tag))?;
    cursor.value(0)
}

/// The unread rest of the text.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// Reads a value after its `<value>`, and its `</value>`.
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        let value = if self.take("<string>") {
            let text = self.text()?;
            self.exactly("</string>")?;
            Value::Str(text.into_owned())
        } else if self.take("<int>") {
            let number = self.text()?.parse().ok()?;
            self.exactly("</int>")?;
            Value::Int(number)
        } else if self.take("<struct>") {
            self.members(depth)?
        } else if self.take("<array>") {
            self.items(depth)?
        } else if self.take("<boolean>") {
            let text = self.text()?;
            self.exactly("</boolean>")?;
            Value::Bool(["0", "1"].iter().position(|digit| *digit == text)? == 1)
        } else {
            return None;
        };
        self.tag("</value>")?;
        Some(value)
    }

    fn members(&mut self, depth: usize) -> Option<Value> {
        let mut members = Vec::new();
        while self.tag("<member>").is_some() {
            self.tag("<name>")?;
            let name = intern(&self.text()?, MEMBERS);
            self.exactly("</name>")?;
            self.tag("<value>")?;
            members.push((name, self.value(depth + 1)?));
            self.tag("</member>")?;
        }
        self.tag("</struct>")?;
        Some(Value::Struct(members))
    }

    fn items(&mut self, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        self.tag("<data>")?;
        while self.tag("<value>").is_some() {
            items.push(self.value(depth + 1)?);
        }
        self.tag("</data>")?;
        self.tag("</array>")?;
        Some(Value::Array(items))
    }

    /// Reads the text up to the next tag.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let (text, rest) = self.rest.split_at(self.rest.find('<')?);
        self.rest = rest;
        let text = normalize_newlines(Cow::Borrowed(text));
        if text.contains('&') { unescape(&text).map(Cow::Owned) } else { Some(text) }
    }

    /// Reads a tag, and the space in front of it.
    fn tag(&mut self, tag: &str) -> Option<()> {
        let rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.rest = rest.strip_prefix(tag)?;
        Some(())
    }

    /// Reads a tag without space in front of it.
    fn exactly(&mut self, tag: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(tag)?;
        Some(())
    }

    /// Reads a tag if it comes next.
    fn take(&mut self, tag: &str) -> bool {
        self.exactly(tag).is_some()
    }
}

/// Text with XML's predefined entities resolved; `None` where it has others.
fn unescape(text: &str) -> Option<String> {
    const ENTITIES: [(&str, char); 5] =
        [("lt;", '<'), ("gt;", '>'), ("amp;", '&'), ("quot;", '"'), ("apos;", '\'')];
    let mut pieces = text.split('&');
    let mut out = String::with_capacity(text.len());
    out.push_str(pieces.next()?);
    for piece in pieces {
        let (name, sign) = ENTITIES.into_iter().find(|(name, _)| piece.starts_with(name))?;
        out.push(sign);
        out.push_str(&piece[name.len()..]);
    }
    Some(out)
}
