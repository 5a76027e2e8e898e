//! Reading the keys of an alert section: [`AlertSection`], a section with its names, over the faults of a [`LoadContext`].
//!
//! Supervisor expands nothing in these values. We expand the names that we know; any other `%` stands for itself, so that
//! URLs can be pasted.

use std::collections::BTreeMap;

use crate::alerting::ValueSource;
use crate::expansion::{ExpansionNames, expand};
use crate::ini::Section;
use crate::loader::context::{LoadContext, SectionScope};
use crate::loader::files::line_of;
use crate::value::InvalidValue;

use super::values::bad;

/// A section and how its values are read.
pub(super) struct AlertSection<'s, 'a> {
    pub(super) context: &'s mut LoadContext<'a>,
    pub(super) scope: SectionScope<'a>,
}

impl<'s, 'a> AlertSection<'s, 'a> {
    /// A section whose values may use `names`.
    pub(super) fn new(context: &'s mut LoadContext<'a>, section: &'a Section, names: ExpansionNames) -> Self {
        let names = names.with("here", context.here).with("host_node_name", &context.host.host_node_name);
        Self { context, scope: SectionScope::new(section, names) }
    }

    /// Whether a key is set, also to nothing.
    pub(super) fn has(&self, key: &str) -> bool {
        self.context.raw(&self.scope, key).is_some()
    }

    /// The value of a key; `None` where it is not set, or (a fault then) empty.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let entry = self.context.raw(&self.scope, key)?;
        self.context.take_work(&self.scope, key, entry.value.len() * 2).ok()?;
        if entry.value.is_empty() {
            let file = self.context.file(entry.place).to_owned();
            let bad = self.nothing(key, &file, entry.place.line);
            self.refuse(key, bad);
            return None;
        }
        let text = self.expanded(&entry.value);
        match text {
            Ok(text) => Some(text),
            Err(bad) => {
                self.refuse(key, bad);
                None
            }
        }
    }

    /// What is wrong with an empty value: a `#` or `;` behind a space begins a comment.
    fn nothing(&self, key: &str, file: &str, line: u32) -> InvalidValue {
        let line = line_of(file, line).unwrap_or_default();
        let value = line.split_once(['=', ':']).map(|(_, value)| value.trim()).unwrap_or_default();
        if !value.starts_with(['#', ';']) {
            return bad("do without a value", "");
        }
        let what = format!("cannot see a value: {value:?} after a space is a comment; write {key}={value}");
        InvalidValue { original: what.clone(), what }
    }

    /// Expands the names that are known; `%(ENV_x)s` of a variable that is not set is a fault.
    fn expanded(&self, text: &str) -> Result<String, InvalidValue> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("%(") {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = reference(rest);
            let piece = &rest[..end.unwrap_or(2)];
            match end.map(|_| expand(piece, &self.scope.names, &self.context.variables, "")) {
                Some(Ok(expanded)) => out.push_str(&expanded.text),
                Some(Err(_)) if piece.starts_with("%(ENV_") => {
                    return Err(bad("find the environment variable of", piece));
                }
                _ => out.push_str(piece),
            }
            rest = &rest[piece.len()..];
        }
        out.push_str(rest);
        Ok(out)
    }

    /// The value of a key, converted; `None` where it is not set or wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &str,
        convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match convert(&text) {
            Ok(value) => Some(value),
            Err(bad) => {
                self.refuse(key, bad);
                None
            }
        }
    }

    /// The same, with something to go on with.
    pub(super) fn or<T>(
        &mut self,
        key: &str,
        default: T,
        convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> T {
        self.optional(key, convert).unwrap_or(default)
    }

    /// Records that a key cannot be used.
    pub(super) fn refuse(&mut self, key: &str, bad: InvalidValue) {
        self.context.refuse(&self.scope, key, bad);
    }

    /// Where the section begins.
    pub(super) fn source(&self) -> ValueSource {
        let place = self.scope.section.place;
        ValueSource { file: self.context.file(place).to_owned(), line: place.line as usize }
    }

    /// Where those of its keys stand for which `wanted` holds.
    pub(super) fn key_sources(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, ValueSource> {
        let entries = self.scope.section.entries().iter().filter(|entry| wanted(&entry.key));
        let source =
            |place| ValueSource { file: self.context.file(place).to_owned(), line: place.line as usize };
        entries.map(|entry| (entry.key.clone(), source(entry.place))).collect()
    }
}

/// The length of a `%(name)s` at the start of a text: the parentheses, and a conversion of digits and one letter.
fn reference(text: &str) -> Option<usize> {
    let close = text.find(')')?;
    let conversion = &text[close + 1..];
    let digits = conversion.bytes().take_while(u8::is_ascii_digit).count();
    conversion[digits..].starts_with(['s', 'd']).then_some(close + 1 + digits + 1)
}
