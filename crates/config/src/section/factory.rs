//! The name of a piece of Python code, `package.module:attribute`, as `importlib.metadata` reads it.
//!
//! None of it can be loaded here. But a name that no Python could load is a typing error, and refused as in the
//! original: otherwise one wrong letter would leave the daemon without its XML-RPC interface.

use ironlance_core::listener::pool::ResultHandler;

use crate::value::InvalidValue;

/// What stands behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factory {
    /// This one of Supervisor's own.
    Stock(&'static str),
    /// Of another package, which may exist.
    Foreign,
}

/// The interface of the daemon.
pub(crate) const INTERFACE: &str = "supervisor.rpcinterface:make_main_rpcinterface";
/// The result handler of Supervisor's own.
pub(crate) const HANDLER: &str = "supervisor.dispatchers:default_handler";
/// The commands of the control program.
const CONTROLLER: &str = "supervisor.supervisorctl:DefaultControllerPlugin";

/// The result handler of the package supervisor-stdout, which is built in.
const STDOUT_HANDLER: &str = "supervisor_stdout:event_handler";

/// All that the package `supervisor` has for this purpose.
const STOCK: [&str; 3] = [INTERFACE, HANDLER, CONTROLLER];

/// Reads the name that `section` gives; one that cannot stand for anything is refused.
pub(crate) fn factory(text: &str, section: &str) -> Result<Factory, InvalidValue> {
    let refuse = || {
        InvalidValue::new(
            "find the Python code",
            text,
            format!("{text} cannot be resolved within [{section}]"),
        )
    };
    let (module, attribute) = parts(text).ok_or_else(refuse)?;
    let name = format!("{module}:{attribute}");
    match STOCK.into_iter().find(|stock| *stock == name) {
        Some(stock) => Ok(Factory::Stock(stock)),
        None if module.split('.').next() == Some("supervisor") => Err(refuse()),
        None => Ok(Factory::Foreign),
    }
}

/// What stands in for the result handler of this name, which is as `result_handler=` gives it. Python code is not loaded:
/// of one that is not known every RESULT is taken as acceptance.
pub fn result_handler(name: &str) -> ResultHandler {
    let name = parts(name).map(|(module, attribute)| format!("{module}:{attribute}"));
    match name.as_deref() {
        Some(HANDLER) => ResultHandler::Default,
        Some(STDOUT_HANDLER) => ResultHandler::PrintToStdout,
        _ => ResultHandler::AcceptAll,
    }
}

/// `module:attribute`, with space around the colon or behind, and with what are called extras in brackets at the end.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (module, rest) = dotted(text);
    let (attribute, rest) = dotted(rest.trim_start().strip_prefix(':')?.trim_start());
    let rest = rest.trim();
    let is_extras = rest.starts_with('[') && rest.ends_with(']') && !rest.contains('\n');
    let is_sound = |name: &str| name.split('.').all(is_identifier);
    (is_sound(module) && is_sound(attribute) && (rest.is_empty() || is_extras)).then_some((module, attribute))
}

/// The letters, digits, underscores and dots at the beginning, and the rest.
fn dotted(text: &str) -> (&str, &str) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    text.split_at(text.find(|c| !is_word(c)).unwrap_or(text.len()))
}

fn is_identifier(word: &str) -> bool {
    word.chars().next().is_some_and(|first| !first.is_numeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handler_of_supervisor_stdout_is_built_in_and_others_accept_everything() {
        for (name, handler) in [
            (HANDLER, ResultHandler::Default),
            ("supervisor_stdout:event_handler", ResultHandler::PrintToStdout),
            ("supervisor_stdout : event_handler", ResultHandler::PrintToStdout),
            ("my.module:handler", ResultHandler::AcceptAll),
        ] {
            assert_eq!(result_handler(name), handler, "{name}");
        }
    }

    #[test]
    fn names_that_python_may_know_are_told_from_those_that_it_cannot() {
        for (text, expected) in [
            (INTERFACE, Some(Factory::Stock(INTERFACE))),
            ("supervisor.dispatchers : default_handler [x]", Some(Factory::Stock(HANDLER))),
            ("my.module:make", Some(Factory::Foreign)),
            ("my:a.b", Some(Factory::Foreign)),
            ("supervisor_twiddler.rpcinterface:make", Some(Factory::Foreign)),
            ("supervisor.rpcinterface:make_main_rpcinterfaces", None),
            ("supervisor.nope:default_handler", None),
            ("supervisor:x", None),
            ("", None),
            ("module", None),
            ("a b:c", None),
            ("a:", None),
            ("a:b:c", None),
            ("a:b [x] y", None),
            (":b", None),
            (".a:b", None),
            ("a..b:c", None),
            ("1a:b", None),
            ("a:1b", None),
        ] {
            assert_eq!(factory(text, "x").ok(), expected, "{text:?}");
        }
        assert_eq!(
            factory("a b", "eventlistener:l").unwrap_err(),
            InvalidValue {
                what: "cannot find the Python code: a b".to_owned(),
                original: "a b cannot be resolved within [eventlistener:l]".to_owned(),
            }
        );
    }
}
