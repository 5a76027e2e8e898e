//! What supervisord tells in structs and lists, believed only as far as it can be read.

use std::collections::BTreeMap;

use ironlance_rpc::Value;

use crate::error::CtlError;

/// A struct of an answer, and the method that gave it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StructView<'v> {
    method: &'static str,
    value: &'v Value,
}

impl<'v> StructView<'v> {
    /// A value that should be a struct.
    pub(crate) const fn new(method: &'static str, value: &'v Value) -> Self {
        Self { method, value }
    }

    /// The text under `key`.
    pub(crate) fn text(&self, key: &str) -> Result<&'v str, CtlError> {
        self.member(key, Value::as_str)
    }

    /// The number under `key`.
    pub(crate) fn int(&self, key: &str) -> Result<i64, CtlError> {
        self.member(key, Value::as_int)
    }

    /// Whether what is under `key` is true, in Python's sense for booleans and numbers.
    pub(crate) fn boolean(&self, key: &str) -> Result<bool, CtlError> {
        self.member(key, |value| match value {
            Value::Bool(yes) => Some(*yes),
            Value::Int(number) => Some(*number != 0),
            _ => None,
        })
    }

    /// The numbers of the struct under `key`, by name.
    pub(crate) fn counts(&self, key: &str) -> Result<BTreeMap<String, i64>, CtlError> {
        self.member(key, |value| match value {
            Value::Struct(members) => {
                let counts = members.iter().map(|(name, count)| Some((name.to_string(), count.as_int()?)));
                counts.collect()
            }
            _ => None,
        })
    }

    /// The texts of the list under `key`; none where supervisord does not tell.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let Some(Value::Array(items)) = self.value.member(key) else { return Vec::new() };
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn member<T>(&self, key: &str, read: impl Fn(&'v Value) -> Option<T>) -> Result<T, CtlError> {
        self.value.member(key).and_then(read).ok_or_else(|| unexpected_answer(self.method, key))
    }
}

/// The structs of a list.
pub(crate) fn struct_list<'v>(
    method: &'static str,
    value: &'v Value,
) -> Result<Vec<StructView<'v>>, CtlError> {
    Ok(list(method, value)?.iter().map(|item| StructView::new(method, item)).collect())
}

/// The items of a list.
pub(crate) fn list<'v>(method: &'static str, value: &'v Value) -> Result<&'v [Value], CtlError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(unexpected_answer(method, "the list")),
    }
}

/// The text that an answer is.
pub(crate) fn text(method: &'static str, value: Value) -> Result<String, CtlError> {
    match value {
        Value::Str(text) => Ok(text),
        _ => Err(unexpected_answer(method, "the text")),
    }
}

/// An answer without something.
pub(crate) fn unexpected_answer(method: &str, what: &str) -> CtlError {
    CtlError::UnexpectedAnswer { method: method.to_owned(), what: what.to_owned() }
}

/// `NAME` where group and process have the same name, else `GROUP:NAME`.
pub(crate) fn namespec(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

/// What a name on the command line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selector<'n> {
    /// All processes of a group: `GROUP:*` or `GROUP:`.
    Group(&'n str),
    /// One process.
    Process {
        /// Its group.
        group: &'n str,
        /// Its name there.
        name: &'n str,
    },
}

impl<'n> Selector<'n> {
    /// Takes `GROUP:NAME` apart (Supervisor's split_namespec).
    pub(crate) fn parse(text: &'n str) -> Self {
        match text.split_once(':') {
            Some((group, "" | "*")) => Self::Group(group),
            Some((group, name)) => Self::Process { group, name },
            None => Self::Process { group: text, name: text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_at_the_first_colon() {
        assert_eq!(Selector::parse("web"), Selector::Process { group: "web", name: "web" });
        assert_eq!(Selector::parse("shop:web"), Selector::Process { group: "shop", name: "web" });
        assert_eq!(Selector::parse("shop:a:b"), Selector::Process { group: "shop", name: "a:b" });
        assert_eq!(Selector::parse("shop:*"), Selector::Group("shop"));
        assert_eq!(Selector::parse("shop:"), Selector::Group("shop"));
    }

    #[test]
    fn an_answer_of_another_kind_is_one_line() {
        let answer = Value::record([("name", "web".into()), ("state", "up".into())]);
        let record = StructView::new("supervisor.getProcessInfo", &answer);
        assert_eq!(record.text("name").unwrap(), "web");
        assert_eq!(
            record.int("state").unwrap_err().to_string(),
            "cannot read the answer to supervisor.getProcessInfo: state is missing or of another type"
        );
        assert!(struct_list("x", &answer).is_err());
    }
}
