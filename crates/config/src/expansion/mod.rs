//! `%(name)s` in a value: Python's `%` operator with a mapping on its right, and the original's words when it fails.

pub mod percent_format;

use std::borrow::Cow;
use std::collections::BTreeMap;

use ironlance_core::redact::{PLACEHOLDER, is_secret_name};
use ironlance_core::text::python;

use crate::expansion::percent_format::{Conversion, ConversionError, FormatValue};
use crate::value::{quotable, shown};

/// The `ENV_x` names, which every value may use: the environment, and that of `[supervisord]` over it.
#[derive(Clone, Debug, Default)]
pub struct EnvVariables(BTreeMap<String, FormatValue>);

impl EnvVariables {
    /// The environment, as pairs of name and value.
    pub fn new(environment: &[(String, String)]) -> Self {
        let mut variables = Self::default();
        for (name, value) in environment {
            variables.set(name, value);
        }
        variables
    }

    /// Makes `%(ENV_name)s` stand for the value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(format!("ENV_{name}"), FormatValue::Text(value.to_owned()));
    }
}

/// The names that a value may use beside the variables; a name that was added later hides an earlier one.
#[derive(Clone, Debug, Default)]
pub struct ExpansionNames(BTreeMap<Cow<'static, str>, FormatValue>);

impl ExpansionNames {
    /// The same, and one more that stands for a text.
    pub fn with(mut self, name: &'static str, text: &str) -> Self {
        self.set(name, FormatValue::Text(text.to_owned()));
        self
    }

    /// Makes a name stand for something.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, word: FormatValue) {
        self.0.insert(name.into(), word);
    }

    /// Forgets those that the variables know as well.
    pub fn remove_shadowed(&mut self, variables: &EnvVariables) {
        self.0.retain(|name, _| !variables.0.contains_key(name.as_ref()));
    }

    fn find<'a>(&'a self, variables: &'a EnvVariables, name: &str) -> Option<&'a FormatValue> {
        self.0.get(name).or_else(|| variables.0.get(name))
    }

    /// The names, in order, as the message about an unknown one lists them; of very many the first.
    fn list(&self, variables: &EnvVariables) -> String {
        let own = self.0.keys().map(AsRef::as_ref).take(MAX_LISTED);
        let mut names: Vec<&str> =
            own.chain(variables.0.keys().map(String::as_str).take(MAX_LISTED)).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(MAX_LISTED);
        names.join(", ")
    }
}

/// A value with everything in the place of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expanded<'t> {
    /// The text.
    pub text: Cow<'t, str>,
    /// A `%s` without a name was left as it stands. Python writes the whole mapping, environment and all,
    /// in its place.
    pub has_bare_percent: bool,
}

/// Why a value cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandError {
    /// For a person: `cannot …: value`.
    pub what: String,
    /// The original's words.
    pub original: String,
}

/// The most names that are listed where one is unknown.
const MAX_LISTED: usize = 2000;
/// No value may grow beyond this many bytes.
const MAX_BYTES: usize = 16 << 20;

/// Expands `text`. `title` is what the message calls it.
pub fn expand<'t>(
    text: &'t str,
    names: &ExpansionNames,
    variables: &EnvVariables,
    title: &str,
) -> Result<Expanded<'t>, ExpandError> {
    if !text.contains('%') {
        return Ok(Expanded { text: Cow::Borrowed(text), has_bare_percent: false });
    }
    let format = Format { text, names, variables, operand: Operand::Mapping, bare: false };
    format.run().map_err(|problem| problem.told(text, title, names, variables))
}

enum Problem {
    Unknown(String),
    Form(String),
}

impl Problem {
    fn told(self, text: &str, title: &str, names: &ExpansionNames, variables: &EnvVariables) -> ExpandError {
        let text = without_secrets(text, title);
        let (quoted, title, text) = (python::repr(&text), python::repr(title), shown(&text));
        match self {
            Self::Unknown(name) => {
                let (key, known) = (python::repr(&name), names.list(variables));
                ExpandError {
                    what: format!("cannot expand the unknown name \"{}\": {text}", shown(&name)),
                    original: format!(
                        "Format string {quoted} for {title} contains names ({key}) which cannot be expanded. \
                         Available names: {known}"
                    ),
                }
            }
            Self::Form(why) => ExpandError {
                what: format!("cannot expand ({why}; a percent sign is written %%): {text}"),
                original: format!("Format string {quoted} for {title} is badly formatted: {why}"),
            },
        }
    }
}

/// A value as a message may have it; `title` is the key that it belongs to. A name alone (`%(ENV_PASSWORD)s`) is none.
fn without_secrets(text: &str, title: &str) -> String {
    let key = title.rsplit('.').next().unwrap_or_default();
    let is_name = text.starts_with("%(") && text.ends_with(")s") && text.matches('%').count() == 1;
    if is_secret_name(key) && !is_name { PLACEHOLDER.to_owned() } else { quotable(text) }
}

impl From<ConversionError> for Problem {
    fn from(error: ConversionError) -> Self {
        Self::Form(error.to_string())
    }
}

/// What a conversion without a name of its own would take.
#[derive(Clone, Copy)]
enum Operand<'a> {
    /// The mapping itself: no name was used yet.
    Mapping,
    /// What the last name stands for, when `%(name)…` broke off before it was used.
    Word(&'a FormatValue),
    /// It was taken.
    Nothing,
}

struct Format<'t, 'n> {
    text: &'t str,
    names: &'n ExpansionNames,
    variables: &'n EnvVariables,
    operand: Operand<'n>,
    bare: bool,
}

impl<'t, 'n> Format<'t, 'n> {
    fn run(mut self) -> Result<Expanded<'t>, Problem> {
        let mut out = String::with_capacity(self.text.len() + 64);
        let mut at = 0;
        while let Some(sign) = self.text[at..].find('%') {
            out.push_str(&self.text[at..at + sign]);
            at = self.one(at + sign + 1, &mut out)?;
            if out.len() > MAX_BYTES {
                return Err(Problem::Form("the result is too long".to_owned()));
            }
        }
        out.push_str(&self.text[at..]);
        Ok(Expanded { text: Cow::Owned(out), has_bare_percent: self.bare })
    }

    /// What follows a percent sign at `start`; gives where it ends.
    fn one(&mut self, start: usize, out: &mut String) -> Result<usize, Problem> {
        let mut at = start;
        if self.text[at..].starts_with('%') {
            out.push('%');
            return Ok(at + 1);
        }
        if self.text[at..].starts_with('(') {
            let end = closing(self.text, at).ok_or(ConversionError::IncompleteKey)?;
            let name = &self.text[at + 1..end];
            let word = self.names.find(self.variables, name);
            self.operand = Operand::Word(word.ok_or_else(|| Problem::Unknown(name.to_owned()))?);
            at = end + 1;
        }
        let (conversion, length) = Conversion::parse(&self.text[at..], || match self.take() {
            Operand::Word(FormatValue::Number(_)) => Ok(()),
            Operand::Word(FormatValue::Text(_)) | Operand::Mapping => Err(ConversionError::StarWantsNumber),
            Operand::Nothing => Err(ConversionError::NotEnough),
        })?;
        at += length;
        let text = self.text;
        let index = || text[..at].chars().count() - 1;
        match self.take() {
            Operand::Word(FormatValue::Text(text)) if conversion.is_plain() => out.push_str(text),
            Operand::Word(word) => out.push_str(&conversion.apply(word, index)?),
            Operand::Mapping => {
                conversion.check_mapping(index)?;
                self.bare = true;
                out.push_str(&text[start - 1..at]);
            }
            Operand::Nothing => return Err(ConversionError::NotEnough.into()),
        }
        Ok(at)
    }

    fn take(&mut self) -> Operand<'n> {
        std::mem::replace(&mut self.operand, Operand::Nothing)
    }
}

/// Where the bracket that opens at `open` is closed; names may have brackets in pairs.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests;
