//! `tail`: prints the end of a process's log, or follows it.

use ironlance_core::text::python::repr;
use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::log_stream::{self, log_page};
use crate::session::{Session, exit_status};
use crate::struct_view::text;
use crate::verb::api::{Completion, Verb, refuse};

pub(super) const VERB: Verb = Verb {
    name: "tail",
    help: &[
        "tail [-f] <name> [stdout|stderr] (default stdout)",
        "Ex:",
        "tail -f <name>\t\tContinuous tail of named process stdout",
        "\t\t\tCtrl-C to exit.",
        "tail -100 <name>\tlast 100 *bytes* of process stdout",
        "tail <name> stderr\tlast 1600 *bytes* of process stderr",
    ],
    completes: Completion::ProcessAndChannel,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

/// The default length of a tail, in bytes.
pub(super) const DEFAULT_BYTES: i64 = 1600;

/// The part of a log to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The last bytes, with their number.
    Last(i64),
    /// The end, and everything appended later.
    Follow,
}

impl Extent {
    /// Parses `-f` or `-100`; the number is parsed as by Python's `int()`.
    pub(super) fn of(modifier: &str) -> Option<Self> {
        match modifier.strip_prefix('-')? {
            "f" => Some(Self::Follow),
            number => python_int(number).map(Self::Last),
        }
    }
}

/// A number in Python's notation: a sign, digits with single underscores between them, space around. It saturates at 64
/// bits.
fn python_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number =
        digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !is_number {
        return None;
    }
    let outermost = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(text.replace('_', "").parse().unwrap_or(outermost))
}

/// The negative offset that reads the last `bytes`; XML-RPC has 32-bit numbers.
pub(super) fn offset(bytes: i64) -> Result<Value, CtlError> {
    bytes
        .checked_neg()
        .and_then(|offset| i32::try_from(offset).ok())
        .map(Value::from)
        .ok_or(CtlError::TooLarge)
}

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let words = words(rest);
    let count = match words.len() {
        0 => Some("few"),
        1..=3 => None,
        _ => Some("many"),
    };
    if let Some(count) = count {
        refuse(session, &VERB, exit_status::GENERIC, &format!("Error: too {count} arguments"));
        return Ok(());
    }
    let (modifier, rest) = match words.split_first() {
        Some((first, rest)) if first.starts_with('-') => (Some(*first), rest),
        _ => (None, words.as_slice()),
    };
    let (name, channel) = match rest {
        [] => return fail(session, "Error: tail requires process name"),
        [name] => (*name, "stdout".to_owned()),
        [name, .., channel] => (*name, channel.to_lowercase()),
    };
    let method = match channel.as_str() {
        "stdout" => "supervisor.readProcessStdoutLog",
        "stderr" => "supervisor.readProcessStderrLog",
        _ => return fail(session, &format!("Error: bad channel {}", repr(&channel))),
    };
    match modifier.map_or(Some(Extent::Last(DEFAULT_BYTES)), Extent::of) {
        None => fail(session, &format!("Error: bad argument {}", modifier.unwrap_or_default())),
        Some(Extent::Follow) => log_stream::follow(session, &log_page(name, &channel)),
        Some(Extent::Last(bytes)) => {
            print_last(session, method, &[name.into(), offset(bytes)?, Value::Int(0)], name)
        }
    }
}

/// Prints the log that a method reads; `name` is whose it is.
pub(super) fn print_last(
    session: &mut Session,
    method: &'static str,
    params: &[Value],
    name: &str,
) -> Result<(), CtlError> {
    let error = match session.call(method, params) {
        Ok(output) => {
            session.print(&text(method, output)?);
            return Ok(());
        }
        Err(error) => error,
    };
    let line = |reason: &str| format!("{name}: ERROR ({reason})");
    if error.is_fault(FaultKind::BadName) {
        session.fail(exit_status::GENERIC, &line("no such process name"));
        session.print_suggestion(name);
        return Ok(());
    }
    let (missing, failed) = (line("no log file"), line("unknown error reading log"));
    session.fail_by_fault(error, &[(FaultKind::NoFile, &missing), (FaultKind::Failed, &failed)])
}

fn fail(session: &mut Session, line: &str) -> Result<(), CtlError> {
    session.fail(exit_status::GENERIC, line);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_a_number_as_python_reads_it() {
        for (text, extent) in [
            ("-f", Some(Extent::Follow)),
            ("-100", Some(Extent::Last(100))),
            ("--5", Some(Extent::Last(-5))),
            ("-+5", Some(Extent::Last(5))),
            ("-1_000", Some(Extent::Last(1000))),
            ("-0", Some(Extent::Last(0))),
            ("-99999999999999999999", Some(Extent::Last(i64::MAX))),
            ("-", None),
            ("-1e3", None),
            ("-1__0", None),
            ("-x", None),
            ("5", None),
        ] {
            assert_eq!(Extent::of(text), extent, "{text}");
        }
    }
}
