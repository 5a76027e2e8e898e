//! The command line of crashmail: [`parse`] to [`Options`] with [`CrashmailOptions`].

use super::destination;
use super::mail_options::{mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, ParserStyle, parsed};
use super::row::{OptionRow, help_row, original};
use super::shared_options::{by_getopt, group_row, on_row, superlance_filter_rows};
use super::{Options, OptionsEnv, Parsed};
use crate::rule::trigger::Trigger;
use ironlance_core::cli::help::{CommandHelp, HelpPage};

/// The options that crashmail alone has.
#[derive(Debug, Default)]
pub struct CrashmailOptions {
    /// Goes in front of the subject, with a colon; never empty.
    pub header: Option<String>,
}

const PAGE: HelpPage = HelpPage {
    command: "crashmail",
    operands: "",
    about: "An event listener of supervisord for PROCESS_STATE_EXITED: mails when a program exits unexpectedly. \
            PATTERN is NAME, GROUP:NAME or GROUP:*; a ! before it leaves these out.",
    example: "crashmail -o web1 -p 'shop:*' -p '!shop:debug' -m ops@example.com",
};

fn rows() -> Vec<OptionRow<Options<CrashmailOptions>>> {
    let mut rows = vec![help_row::<Options<CrashmailOptions>>()];
    rows.extend(superlance_filter_rows(
        "only these programs; may be repeated",
        "every program but those left out, whatever -p and -g say; the default",
    ));
    rows.push(original("-o, --optionalheader TEXT", "put TEXT: before the subject", |options, given| {
        options.own.header = Some(given.value().to_owned()).filter(|text| !text.is_empty());
    }));
    rows.extend(mailer_rows());
    rows.push(group_row(
        "-g, --group GROUP",
        "only the programs of this group; ! leaves it out; may be repeated",
    ));
    rows.push(on_row(
        "what is worth a mail, with commas: exited (unexpectedly; the default), expected (exits), fatal, backoff, \
         stopped, stopping, starting, running, unknown",
    ));
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<Options<CrashmailOptions>> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<Options<CrashmailOptions>, OptionError> {
    let mut options = by_getopt(&rows(), args)?;
    options.triggers = options.triggers.or(Trigger::Exited);
    options.destination = destination::resolve(&options.mail, options.test_alert, environment)?;
    Ok(options)
}

#[cfg(test)]
mod tests;
