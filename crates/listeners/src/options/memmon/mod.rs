//! The command line of memmon: [`parse`] to [`Options`] with [`MemmonOptions`].

use ironlance_checks::memory::MemoryMetric;
use ironlance_core::cli::OptionArg;
use ironlance_core::cli::help::{CommandHelp, HelpPage};
use ironlance_core::listener::name_check::NamePattern;
use ironlance_core::process::selection::SelectionError;
use ironlance_core::text::python::repr;
use ironlance_core::{Selection, signal};

use super::destination;
use super::mail_options::{mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, ParserStyle, parsed};
use super::row::{OptionRow, count, help_row, original, ours};
use super::shared_options::{by_getopt, remind_row, unusable_pattern};
use super::{Options, OptionsEnv, Parsed, number};
use crate::rule::memory::ListenerMemoryLimit;

/// The options that memmon alone has.
#[derive(Debug, Default)]
pub struct MemmonOptions {
    /// Bytes by the name that `-p` gave, in the order given; a repeated name keeps its place and takes the new size.
    pub programs: Vec<(String, u64)>,
    /// Bytes by the name that `-g` gave, likewise.
    pub groups: Vec<(String, u64)>,
    /// Bytes for every process.
    pub any: Option<u64>,
    /// The excluded patterns and groups, with their `!`.
    excluded_programs: Vec<String>,
    excluded_groups: Vec<String>,
    /// The kind of memory that is measured.
    pub metric: MemoryMetric,
    /// No mail about a process that has been up for more seconds than this; may be negative, as in superlance.
    pub uptime: Option<i64>,
    /// A name for the subject.
    pub name: Option<String>,
    /// The ticks in a row over the limit that it takes to act; without the option 0, which is as good as 1.
    pub ticks: u32,
    /// The number of the signal that is sent instead of a restart.
    pub signal: Option<i32>,
    /// Mail, and do nothing else.
    pub notify_only: bool,
}

const PAGE: HelpPage = HelpPage {
    command: "memmon",
    operands: "",
    about: "An event listener of supervisord for TICK_60: restarts programs that use too much memory, and mails. SIZE \
            is bytes, or with KB, MB or GB. PATTERN is NAME, GROUP:NAME or GROUP:*; -p '!PATTERN' and -g '!GROUP' \
            leave these out.",
    example: "memmon -p shop:web=400MB -g workers=1GB -a 2GB --for 3 -m ops@example.com",
};

type MemmonRow = OptionRow<Options<MemmonOptions>>;

fn rows() -> Vec<MemmonRow> {
    let mut rows = vec![help_row()];
    rows.extend(limit_rows());
    rows.extend(mailer_rows());
    rows.extend(mail_rows());
    rows.extend(our_rows());
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

fn limit_rows() -> Vec<MemmonRow> {
    vec![
        original("-c, --cumulative", "the memory of a process and all its descendants", |options, _| {
            options.own.metric.cumulative = true;
        }),
        original(
            "-p, --program PATTERN=SIZE",
            "a limit for these programs; may be repeated",
            |options, given| {
                add_limit(
                    &mut options.own.programs,
                    &mut options.own.excluded_programs,
                    given,
                    Selection::add,
                )
            },
        ),
        original(
            "-g, --group GROUP=SIZE",
            "a limit for each process of this group; may be repeated",
            |options, given| {
                let own = &mut options.own;
                add_limit(&mut own.groups, &mut own.excluded_groups, given, Selection::add_group)
            },
        ),
        original("-a, --any SIZE", "a limit for every process", |options, given| {
            size(given, given.value()).map(|bytes| options.own.any = Some(bytes))
        }),
    ]
}

fn mail_rows() -> Vec<MemmonRow> {
    vec![
        original(
            "-u, --uptime TIME",
            "no mail about a process that had been up for longer (90, 90s, 5m, 2h, 1d)",
            set_uptime,
        ),
        original("-n, --name NAME", "a name for the subject: memmon [NAME]: ...", |options, given| {
            options.own.name = Some(given.value().to_owned());
        }),
    ]
}

fn our_rows() -> Vec<MemmonRow> {
    vec![
        ours("--for N", "act after N ticks over the limit in a row, 1 by default", |options, given| {
            count(given).map(|ticks| options.own.ticks = ticks)
        }),
        ours(
            "--pss",
            "proportional instead of resident memory: shared pages are shared out",
            |options, _| options.own.metric.pss = true,
        ),
        ours(
            "--signal SIGNAL",
            "send this (USR1, SIGUSR1 or 10) to the process instead of restarting it",
            set_signal,
        ),
        ours("--notify-only", "mail, and restart nothing", |options, _| options.own.notify_only = true),
        remind_row(),
    ]
}

fn set_uptime(options: &mut Options<MemmonOptions>, given: &OptionArg) -> Result<(), OptionError> {
    // As in superlance the option's name has no quotes here, unlike in the messages about sizes.
    let unparseable = || {
        let value = repr(given.value());
        OptionError::Unparseable(format!("Unparseable value for time in {value} for {}", given.name))
    };
    options.own.uptime = Some(number::seconds(given.value()).ok_or_else(unparseable)?);
    Ok(())
}

/// Signal 0 does nothing.
fn set_signal(options: &mut Options<MemmonOptions>, given: &OptionArg) -> Result<(), OptionError> {
    options.own.signal = signal::number(given.value()).filter(|number| *number != 0);
    match options.own.signal {
        Some(_) => Ok(()),
        None => Err(OptionError::value(given, "not a signal such as USR1, SIGUSR1 or 10")),
    }
}

type Check = fn(&mut Selection, &str) -> Result<(), SelectionError>;

/// Adds the value of `-p` or `-g`: a limit, or an exclusion.
fn add_limit(
    limits: &mut Vec<(String, u64)>,
    excluded: &mut Vec<String>,
    given: &OptionArg,
    check: Check,
) -> Result<(), OptionError> {
    let value = given.value();
    let checked =
        |name: &str| check(&mut Selection::default(), name).map_err(|error| unusable_pattern(given, &error));
    if value.starts_with('!') {
        if value.contains('=') {
            return Err(OptionError::value(given, "what is left out by ! has no size"));
        }
        checked(value)?;
        excluded.push(value.to_owned());
        return Ok(());
    }
    let Some((name, text)) = value.split_once('=').filter(|(_, text)| !text.contains('=')) else {
        let (value, option) = (repr(value), repr(&given.name));
        return Err(OptionError::Unparseable(format!("Unparseable value {value} for {option}")));
    };
    let bytes = size(given, text)?;
    checked(name)?;
    match limits.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = bytes,
        None => limits.push((name.to_owned(), bytes)),
    }
    Ok(())
}

fn size(given: &OptionArg, text: &str) -> Result<u64, OptionError> {
    number::bytes(text).ok_or_else(|| {
        let (value, option) = (repr(text), repr(&given.name));
        OptionError::Unparseable(format!("Unparseable byte_size in {value} for {option}"))
    })
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<Options<MemmonOptions>> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<Options<MemmonOptions>, OptionError> {
    if args.is_empty() {
        return Err(OptionError::UsageError("cannot watch anything: no option is given".into()));
    }
    let mut options = by_getopt::<MemmonOptions>(&rows(), args)?;
    if options.own.signal.is_some() && options.own.notify_only {
        let both = "cannot use --signal and --notify-only together: which is it?";
        return Err(OptionError::Unusable(both.into()));
    }
    options.destination = destination::resolve(&options.mail, options.test_alert, environment)?;
    Ok(options)
}

impl MemmonOptions {
    /// Every given name, with the excluded ones; with `--any` also the pattern for all.
    pub fn named(&self) -> Vec<NamePattern> {
        let programs = self.programs.iter().map(|(name, _)| name).chain(&self.excluded_programs);
        let groups = self.groups.iter().map(|(name, _)| name).chain(&self.excluded_groups);
        let every = self.any.map(|_| NamePattern::Program("*".to_owned()));
        let programs = programs.cloned().map(NamePattern::Program);
        programs.chain(groups.cloned().map(NamePattern::Group)).chain(every).collect()
    }

    /// Every limit, exclusions applied: programs, groups, then the one for all, each in the order given.
    pub fn limits(&self) -> Vec<ListenerMemoryLimit> {
        let limit = |name: &str, bytes: u64, add: Check| {
            let mut processes = Selection::default();
            let programs = self.excluded_programs.iter().map(|name| (name.as_str(), Selection::add as Check));
            let groups =
                self.excluded_groups.iter().map(|name| (name.as_str(), Selection::add_group as Check));
            for (pattern, add) in std::iter::once((name, add)).chain(programs).chain(groups) {
                add(&mut processes, pattern).expect("every pattern was tried when it was given");
            }
            ListenerMemoryLimit { named: format!("{name}={bytes}"), processes, bytes }
        };
        let programs = self.programs.iter().map(|(name, bytes)| limit(name, *bytes, Selection::add));
        let groups = self.groups.iter().map(|(name, bytes)| limit(name, *bytes, Selection::add_group));
        programs.chain(groups).chain(self.any.map(|bytes| limit("any", bytes, every))).collect()
    }
}

/// Includes every process; `-a` has no pattern.
fn every(selection: &mut Selection, _: &str) -> Result<(), SelectionError> {
    selection.include_all();
    Ok(())
}

#[cfg(test)]
mod tests;
