//! [`Options`]: what a command line says, the command's own options and those that several commands share. The rows about
//! programs, `--on` and `--remind` are here, those about mails in `mail_options`.

use ironlance_core::cli::{OptionArg, getopt};
use ironlance_core::process::selection::SelectionError;

use super::destination::{ListenerDestination, MailOptions};
use super::number;
use super::option_error::OptionError;
use super::row::{OptionRow, original, ours};
use crate::rule::filter::ProcessFilter;
use crate::rule::reminder::RemindInterval;
use crate::rule::trigger::Triggers;

/// The options of a command; `O` are those that it alone has.
#[derive(Debug, Default)]
pub struct Options<O> {
    /// Its own.
    pub own: O,
    /// The programs that `--program`, `--group` and `--any` name.
    pub filter: ProcessFilter,
    /// The state changes that a crash mailer mails about.
    pub triggers: Triggers,
    /// How long httpok and memmon do not mail the same problem again.
    pub remind: RemindInterval,
    /// The mail transport and the recipients.
    pub destination: ListenerDestination,
    /// Leave out the Details.
    pub brief: bool,
    /// Send one alert now and exit.
    pub test_alert: bool,
    /// Arguments that are no options. Superlance ignores them silently.
    pub ignored: Vec<String>,
    /// What `destination` is made of.
    pub(super) mail: MailOptions,
}

impl<O> Options<O> {
    /// Adds the arguments that are no options, when all options have been read.
    pub(super) fn with_ignored(mut self, ignored: Vec<String>) -> Self {
        self.ignored = ignored;
        self.filter = self.filter.resolved();
        self
    }
}

/// The options by Python's getopt, with the arguments behind them.
pub(super) fn by_getopt<O: Default>(
    rows: &[OptionRow<Options<O>>],
    args: &[String],
) -> Result<Options<O>, OptionError> {
    let (hits, operands) = getopt::parse(rows, args)?;
    let mut options = Options::default();
    getopt::apply(&hits, &mut options)?;
    Ok(options.with_ignored(operands.to_vec()))
}

fn add_program<O>(options: &mut Options<O>, given: &OptionArg) -> Result<(), OptionError> {
    options.filter.add_program(given.value()).map_err(|error| unusable_pattern(given, &error))
}

fn add_group<O>(options: &mut Options<O>, given: &OptionArg) -> Result<(), OptionError> {
    options.filter.add_group(given.value()).map_err(|error| unusable_pattern(given, &error))
}

/// A pattern that cannot select anything.
pub(super) fn unusable_pattern(given: &OptionArg, error: &SelectionError) -> OptionError {
    OptionError::Unusable(format!("cannot use the value of {}: {error}", given.name))
}

/// `-p` and `-a` of crashmail and httpok.
pub(super) fn superlance_filter_rows<O>(
    program_help: &'static str,
    any_help: &'static str,
) -> Vec<OptionRow<Options<O>>> {
    vec![
        original("-p, --program PATTERN", program_help, add_program),
        original("-a, --any", any_help, |options, _| options.filter.any = true),
    ]
}

/// `--group`, in crashmail with a letter.
pub(super) fn group_row<O>(written: &'static str, help: &'static str) -> OptionRow<Options<O>> {
    ours(written, help, add_group)
}

/// `--program PATTERN` where superlance has none.
pub(super) fn program_row<O>(help: &'static str) -> OptionRow<Options<O>> {
    ours("--program PATTERN", help, add_program)
}

/// `--on LIST`.
pub(super) fn on_row<O>(help: &'static str) -> OptionRow<Options<O>> {
    ours("--on LIST", help, |options: &mut Options<O>, given| {
        options.triggers.add(given.value()).map_err(|word| {
            OptionError::value(given, &format!("{word:?} is none of {}", Triggers::ALL.words().join(", ")))
        })
    })
}

/// `--remind TIME` of httpok and memmon.
pub(super) fn remind_row<O>() -> OptionRow<Options<O>> {
    let help = "mail about the same problem at once and then once in this time, 1h by default (90, 90s, \
                5m, 2h, 1d; 0: every time)";
    ours("--remind TIME", help, |options: &mut Options<O>, given| {
        let span = number::span(given.value());
        let span =
            span.ok_or_else(|| OptionError::value(given, "not a time such as 90, 90s, 5m, 2h or 1d"))?;
        options.remind = RemindInterval(span);
        Ok(())
    })
}
