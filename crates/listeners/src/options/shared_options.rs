//! [`SharedOptions`]: the values of the options that several commands share. A command's own options contain one and lend
//! it by `AsMut` to the rows: those about programs, `--on` and `--remind` are here, those about mails in `mail_options`.

use std::path::PathBuf;

use ironlance_core::cli::{
    OptionArg, Takes,
    table::{original, ours},
};
use ironlance_core::process::selection::SelectionError;

use super::mail_server::{MailServer, TlsDemand};
use super::number;
use super::option_error::{OptionError, OptionRow};
use crate::rule::filter::ProcessFilter;
use crate::rule::reminder::RemindInterval;
use crate::rule::trigger::Triggers;

/// The values of the shared options, as far as a command has them.
#[derive(Debug, Default)]
pub(super) struct SharedOptions {
    pub(super) filter: ProcessFilter,
    pub(super) triggers: Triggers,
    pub(super) remind: RemindInterval,
    pub(super) mail: MailOptions,
}

/// The options about mails as given: a later one replaces an earlier one, recipients add up.
#[derive(Debug, Default)]
pub(super) struct MailOptions {
    pub(super) recipients: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) sendmail: Option<OptionArg>,
    /// The command takes To, Subject and the text, whatever its name says.
    pub(super) body_only: bool,
    /// The server, and the option's name.
    pub(super) server: Option<(String, MailServer)>,
    pub(super) tls: TlsDemand,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) brief: bool,
    pub(super) test_alert: bool,
}

fn add_program<T: AsMut<SharedOptions>>(target: &mut T, given: &OptionArg) -> Result<(), OptionError> {
    let filter = &mut target.as_mut().filter;
    filter.add_program(given.value()).map_err(|error| unusable_pattern(given, &error))
}

fn add_group<T: AsMut<SharedOptions>>(target: &mut T, given: &OptionArg) -> Result<(), OptionError> {
    let filter = &mut target.as_mut().filter;
    filter.add_group(given.value()).map_err(|error| unusable_pattern(given, &error))
}

/// A pattern that cannot select anything.
pub(super) fn unusable_pattern(given: &OptionArg, error: &SelectionError) -> OptionError {
    OptionError::Unusable(format!("cannot use the value of {}: {error}", given.name))
}

/// `-p` and `-a` of crashmail and httpok.
pub(super) fn superlance_filter_rows<T: AsMut<SharedOptions>>(
    program_help: &'static str,
    any_help: &'static str,
) -> Vec<OptionRow<T>> {
    vec![
        original('p', "program", Takes::Value("PATTERN"), program_help, add_program),
        original('a', "any", Takes::Nothing, any_help, |target, _| target.as_mut().filter.any = true),
    ]
}

/// `--group GROUP`.
pub(super) fn group_row<T: AsMut<SharedOptions>>(help: &'static str) -> OptionRow<T> {
    ours("group", Takes::Value("GROUP"), help, add_group)
}

/// `--program PATTERN` where superlance has none.
pub(super) fn program_row<T: AsMut<SharedOptions>>(help: &'static str) -> OptionRow<T> {
    ours("program", Takes::Value("PATTERN"), help, add_program)
}

/// `--on LIST`.
pub(super) fn on_row<T: AsMut<SharedOptions>>(help: &'static str) -> OptionRow<T> {
    ours("on", Takes::Value("LIST"), help, |target, given: &OptionArg| {
        target.as_mut().triggers.add(given.value()).map_err(|word| {
            OptionError::value(given, &format!("{word:?} is none of {}", Triggers::ALL.words().join(", ")))
        })
    })
}

/// `--remind TIME` of httpok and memmon.
pub(super) fn remind_row<T: AsMut<SharedOptions>>() -> OptionRow<T> {
    let help = "mail about the same problem at once and then once in this time, 1h by default (90, 90s, \
                5m, 2h, 1d; 0: every time)";
    ours("remind", Takes::Value("TIME"), help, |target: &mut T, given: &OptionArg| {
        let span = number::span(given.value());
        let span =
            span.ok_or_else(|| OptionError::value(given, "not a time such as 90, 90s, 5m, 2h or 1d"))?;
        target.as_mut().remind = RemindInterval(span);
        Ok(())
    })
}
