//! [`OptionRow`]: a row of a command's table of options, written as the help shows the option, and readers of values.

use ironlance_core::cli::table::{self, SetterOutput};
use ironlance_core::cli::{OptionArg, OptionOrigin, OptionSpec, Takes};

use super::option_error::OptionError;

/// An option of a listener.
pub(super) type OptionRow<T> = OptionSpec<T, OptionError>;

/// An option of superlance's, such as `-t, --timeout SECONDS` or `--tls`.
pub(super) fn original<T, R: SetterOutput<OptionError>>(
    written: &'static str,
    help: &'static str,
    set: fn(&mut T, &OptionArg) -> R,
) -> OptionRow<T> {
    let (short, long, takes) = split(written);
    table::original(short, long, takes, help, set)
}

/// An option of ours, written likewise.
pub(super) fn ours<T, R: SetterOutput<OptionError>>(
    written: &'static str,
    help: &'static str,
    set: fn(&mut T, &OptionArg) -> R,
) -> OptionRow<T> {
    let mut row = original(written, help, set);
    row.origin = OptionOrigin::Ours;
    row
}

/// The letter, the long name and the value of `-l, --long VALUE`; a number that may be left out is `--long[=N]`.
fn split(written: &'static str) -> (Option<char>, &'static str, Takes) {
    let (short, long) = written.split_once(", ").unwrap_or(("", written));
    let long = long.trim_start_matches('-');
    let (long, takes) = match (long.split_once("[="), long.split_once(' ')) {
        (Some((long, word)), _) => (long, Takes::OptionalNumber(word.trim_end_matches(']'))),
        (None, Some((long, word))) => (long, Takes::Value(word)),
        (None, None) => (long, Takes::Nothing),
    };
    (short.chars().nth(1), long, takes)
}

/// `-h`, which both parsers have.
pub(super) fn help_row<T>() -> OptionRow<T> {
    original("-h, --help", "show this text and exit", |_, _| Err(OptionError::Help))
}

/// The value as a number of at least 1.
pub(super) fn count(given: &OptionArg) -> Result<u32, OptionError> {
    let count = given.value().trim().parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| OptionError::value(given, "not a whole number from 1"))
}

/// A value that must not be empty.
pub(super) fn filled(given: &OptionArg) -> Result<String, OptionError> {
    match given.value() {
        "" => Err(OptionError::value(given, "it is empty")),
        value => Ok(value.to_owned()),
    }
}
