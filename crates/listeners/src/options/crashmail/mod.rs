//! The command line of crashmail: [`parse`] to [`CrashmailOptions`].

use super::destination::{self, MailDestination};
use super::mail_options::{mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, OptionRow, ParserStyle, help_row, parsed};
use super::shared_options::{SharedOptions, group_row, on_row, superlance_filter_rows};
use super::{OptionsEnv, Parsed};
use crate::rule::filter::ProcessFilter;
use crate::rule::trigger::{Trigger, Triggers};
use ironlance_core::cli::{
    Takes, getopt,
    help::{CommandHelp, HelpPage},
    table::original,
};

/// The options of crashmail.
#[derive(Clone, Debug, PartialEq)]
pub struct CrashmailOptions {
    /// The programs; with none named, all but the excluded ones.
    pub filter: ProcessFilter,
    /// The state changes that are mailed.
    pub triggers: Triggers,
    /// Goes in front of the subject, with a colon; never empty.
    pub header: Option<String>,
    /// The mail transport and the recipients.
    pub destination: MailDestination,
    /// Leave out the Details.
    pub brief: bool,
    /// Send one alert now and exit.
    pub test_alert: bool,
    /// Arguments from the first on that is no option. Superlance ignores them silently.
    pub ignored: Vec<String>,
}

const PAGE: HelpPage = HelpPage {
    command: "crashmail",
    original: "as in superlance",
    operands: "",
    about: "An event listener of supervisord for PROCESS_STATE_EXITED: mails when a program exits unexpectedly. \
            PATTERN is NAME, GROUP:NAME or GROUP:*; a ! before it leaves these out.",
    example: "crashmail -o web1 -p 'shop:*' -p '!shop:debug' -m ops@example.com",
};

#[derive(Default)]
struct RawOptions {
    header: Option<String>,
    shared: SharedOptions,
}

impl AsMut<SharedOptions> for RawOptions {
    fn as_mut(&mut self) -> &mut SharedOptions {
        &mut self.shared
    }
}

fn rows() -> Vec<OptionRow<RawOptions>> {
    let mut rows = vec![help_row()];
    rows.extend(superlance_filter_rows(
        "only these programs; may be repeated",
        "every program but those left out, whatever -p and -g say; the default",
    ));
    rows.push(original(
        'o',
        "optionalheader",
        Takes::Value("TEXT"),
        "put TEXT: before the subject",
        |raw: &mut RawOptions, given| {
            raw.header = Some(given.value().to_owned()).filter(|text| !text.is_empty());
        },
    ));
    rows.extend(mailer_rows());
    rows.push(group_row("only the programs of this group; ! leaves it out; may be repeated").short('g'));
    rows.push(on_row(
        "what is worth a mail, with commas: exited (unexpectedly; the default), expected (exits), fatal, backoff, \
         stopped, stopping, starting, running, unknown",
    ));
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<CrashmailOptions> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<CrashmailOptions, OptionError> {
    let rows = rows();
    let (hits, operands) = getopt::parse(&rows, args)?;
    let mut raw = RawOptions::default();
    getopt::apply(&hits, &mut raw)?;
    Ok(CrashmailOptions {
        filter: raw.shared.filter.resolved(),
        triggers: raw.shared.triggers.or(Trigger::Exited),
        header: raw.header,
        destination: destination::resolve(&raw.shared.mail, environment)?,
        brief: raw.shared.mail.brief,
        test_alert: raw.shared.mail.test_alert,
        ignored: operands.to_vec(),
    })
}

#[cfg(test)]
mod tests;
