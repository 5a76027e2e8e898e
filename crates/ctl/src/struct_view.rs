//! Reading of structs and lists in supervisord's answers, with an error that names the missing member.

use ironlance_rpc::Value;

use crate::error::CtlError;

/// A struct of an answer, and the method that returned it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StructView<'v> {
    method: &'static str,
    value: &'v Value,
}

impl<'v> StructView<'v> {
    /// Wraps a value that should be a struct.
    pub(crate) const fn new(method: &'static str, value: &'v Value) -> Self {
        Self { method, value }
    }

    /// The string under `key`.
    pub(crate) fn text(&self, key: &str) -> Result<&'v str, CtlError> {
        self.member(key, Value::as_str)
    }

    /// The number under `key`.
    pub(crate) fn int(&self, key: &str) -> Result<i64, CtlError> {
        self.member(key, Value::as_int)
    }

    /// The truth of the member under `key`, as in Python for booleans and numbers.
    pub(crate) fn boolean(&self, key: &str) -> Result<bool, CtlError> {
        self.member(key, |value| match value {
            Value::Bool(yes) => Some(*yes),
            Value::Int(number) => Some(*number != 0),
            _ => None,
        })
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

/// An answer that must be a string.
pub(crate) fn text(method: &'static str, value: Value) -> Result<String, CtlError> {
    match value {
        Value::Str(text) => Ok(text),
        _ => Err(unexpected_answer(method, "the text")),
    }
}

/// The error for an answer in which `what` is missing.
pub(crate) fn unexpected_answer(method: &str, what: &str) -> CtlError {
    CtlError::UnexpectedAnswer { method: method.to_owned(), what: what.to_owned() }
}

/// `NAME` where group and process have the same name, else `GROUP:NAME`.
pub(crate) fn namespec(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}

/// A name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selector<'n> {
    /// All processes of a group: `GROUP:*` or `GROUP:`.
    Group(&'n str),
    /// One process.
    Process {
        /// Its group.
        group: &'n str,
        /// Its name in the group.
        name: &'n str,
    },
}

impl<'n> Selector<'n> {
    /// Parses `GROUP:NAME` (Supervisor's split_namespec).
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
