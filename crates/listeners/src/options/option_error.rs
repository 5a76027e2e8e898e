//! [`OptionError`]: why a command line is refused, and what the command then prints: superlance's streams and exit
//! statuses.

use ironlance_core::redact::redact;
use ironlance_core::text::python::repr;
use thiserror::Error;

use super::Parsed;
use ironlance_core::cli::help::CommandHelp;
use ironlance_core::cli::{OptionArg, UsageError};

/// Why a command does not run with this command line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum OptionError {
    /// Help was asked for.
    #[error("help was asked for")]
    Help,
    /// The arguments cannot be parsed, or there are too few or too many.
    #[error("{0}")]
    UsageError(String),
    /// An address is missing that a batch mailer needs.
    #[error("{0}")]
    Incomplete(String),
    /// memmon refuses a value; superlance prints this text on stdout.
    #[error("{0}")]
    Unparseable(String),
    /// Superlance ends with a traceback and status 1.
    #[error("{0}")]
    Traceback(String),
    /// We refuse a value, or options that contradict each other.
    #[error("{0}")]
    Unusable(String),
}

impl From<UsageError> for OptionError {
    fn from(usage: UsageError) -> Self {
        Self::UsageError(usage.0)
    }
}

impl OptionError {
    /// A value that we refuse.
    pub(super) fn value(given: &OptionArg, why: &str) -> Self {
        Self::Unusable(cannot_use(given, given.value(), why))
    }

    /// A value on which superlance ends with a traceback.
    pub(super) fn traceback(given: &OptionArg, why: &str) -> Self {
        Self::Traceback(cannot_use(given, given.value(), why))
    }
}

/// `cannot use 'x' for -p: why`, with `shown` for the value and secrets redacted.
pub(super) fn cannot_use(given: &OptionArg, shown: &str, why: &str) -> String {
    format!("cannot use {} for {}: {why}", repr(&redact(shown)), given.name)
}

/// The Python module whose parsing and usage errors a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParserStyle {
    Getopt,
    Optparse,
}

/// A command line that was read, or how the command ends.
pub(super) fn parsed<T>(
    read: Result<T, OptionError>,
    style: ParserStyle,
    command: &str,
    help: impl FnOnce() -> CommandHelp,
) -> Parsed<T> {
    match read {
        Ok(options) => Parsed::Run(options),
        Err(error) => exit(&error, style, command, &help().text()),
    }
}

fn exit<T>(error: &OptionError, style: ParserStyle, command: &str, help: &str) -> Parsed<T> {
    let line = format!("{command}: {error}\n");
    let usage = format!("Usage: {command} [options]\n\n{command}: error: {error}\n");
    let (code, stdout, stderr) = match (error, style) {
        (OptionError::Help, ParserStyle::Getopt | ParserStyle::Optparse) => {
            (0, help.to_owned(), String::new())
        }
        (OptionError::UsageError(_), ParserStyle::Getopt) => (255, help.to_owned(), line),
        (OptionError::Unparseable(words), ParserStyle::Getopt) => (255, format!("{words}\n{help}"), line),
        (OptionError::Unusable(_), ParserStyle::Getopt) => (255, String::new(), line),
        (
            OptionError::UsageError(_) | OptionError::Unparseable(_) | OptionError::Unusable(_),
            ParserStyle::Optparse,
        ) => (2, String::new(), usage),
        (OptionError::Incomplete(_), ParserStyle::Getopt | ParserStyle::Optparse) => {
            (1, help.to_owned(), line)
        }
        (OptionError::Traceback(_), ParserStyle::Getopt | ParserStyle::Optparse) => (1, String::new(), line),
    };
    Parsed::Exit { code, stdout, stderr }
}
