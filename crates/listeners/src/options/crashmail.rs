//! The command line of crashmail.

use super::delivery::{self, Delivery};
use super::happening::{Happening, Happenings, on_row};
use super::refusal::{Refusal, Row, Style, exit, help_row};
use super::who::{self, Who};
use super::wishes::{Wishes, mailer_rows, server_rows, shared_rows};
use super::{Environment, Parsed};
use ironlance_core::args::{
    Takes, getopt,
    help::{self, Page},
    table::original,
};

/// What crashmail is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct CrashmailOptions {
    /// Which programs it is about; with none named, all but those left out.
    pub who: Who,
    /// What is worth a mail.
    pub on: Happenings,
    /// Stands before the subject, with a colon; never empty.
    pub header: Option<String>,
    /// How and to whom.
    pub delivery: Delivery,
    /// No Details.
    pub brief: bool,
    /// Send one alert now, and exit.
    pub test_alert: bool,
    /// Arguments from the first on that is no option. Superlance passes over them in silence.
    pub ignored: Vec<String>,
}

const PAGE: Page = Page {
    command: "crashmail",
    original: "as in superlance",
    operands: "",
    about: "An event listener of supervisord for PROCESS_STATE_EXITED: mails when a program exits unexpectedly. \
            PATTERN is NAME, GROUP:NAME or GROUP:*; a ! before it leaves these out.",
    example: "crashmail -o web1 -p 'shop:*' -p '!shop:debug' -m ops@example.com",
};

#[derive(Default)]
struct Asked {
    who: Who,
    on: Happenings,
    header: Option<String>,
    wishes: Wishes,
}

impl AsMut<Who> for Asked {
    fn as_mut(&mut self) -> &mut Who {
        &mut self.who
    }
}

impl AsMut<Happenings> for Asked {
    fn as_mut(&mut self) -> &mut Happenings {
        &mut self.on
    }
}

impl AsMut<Wishes> for Asked {
    fn as_mut(&mut self) -> &mut Wishes {
        &mut self.wishes
    }
}

fn rows() -> Vec<Row<Asked>> {
    let mut rows = vec![help_row()];
    rows.extend(who::superlance_rows(
        "only these programs; may be repeated",
        "every program but those left out, whatever -p and -g say; the default",
    ));
    rows.push(original(
        'o',
        "optionalheader",
        Takes::Value("TEXT"),
        "put TEXT: before the subject",
        |asked: &mut Asked, given| {
            asked.header = Some(given.value().to_owned()).filter(|text| !text.is_empty());
            Ok(())
        },
    ));
    rows.extend(mailer_rows());
    rows.push(who::group_row("only the programs of this group; ! leaves it out; may be repeated").short('g'));
    rows.push(on_row(
        "what is worth a mail, with commas: exited (unexpectedly; the default), expected (exits), fatal, backoff, \
         stopped, stopping, starting, running, unknown",
    ));
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &Environment<'_>) -> Parsed<CrashmailOptions> {
    match read(args, environment) {
        Ok(options) => Parsed::Run(options),
        Err(refusal) => exit(&refusal, Style::Getopt, PAGE.command, &help()),
    }
}

/// The text of `--help`.
pub fn help() -> String {
    help::text(&PAGE, &rows())
}

fn read(args: &[String], environment: &Environment<'_>) -> Result<CrashmailOptions, Refusal> {
    let rows = rows();
    let (hits, operands) = getopt::split(&rows, args)?;
    let mut asked = Asked::default();
    getopt::apply(&hits, &mut asked)?;
    Ok(CrashmailOptions {
        who: asked.who.settled(),
        on: asked.on.or(Happening::Exited),
        header: asked.header,
        delivery: delivery::settle(&asked.wishes, environment)?,
        brief: asked.wishes.brief,
        test_alert: asked.wishes.test_alert,
        ignored: operands.to_vec(),
    })
}

#[cfg(test)]
mod tests;
