//! The command line of memmon: [`parse`] to [`MemmonOptions`].

use std::collections::BTreeMap;

use ironlance_core::process::selection::SelectionError;
use ironlance_core::text::python::repr;
use ironlance_core::{Selection, listener::name_check};

use super::destination::{self, MailDestination};
use super::mail_options::{mailer_rows, server_rows, shared_rows};
use super::option_error::{OptionError, OptionRow, ParserStyle, count, help_row, parsed};
use super::shared_options::{SharedOptions, remind_row, unusable_pattern};
use super::{OptionsEnv, Parsed, number};
use crate::probe::memory::MemoryMetric;
use crate::rule::memory::{MemoryAction, MemoryLimit};
use crate::rule::reminder::RemindInterval;
use crate::rule::signal::ProcessSignal;
use ironlance_core::cli::{
    OptionArg, Takes, getopt,
    help::{CommandHelp, HelpPage},
    table::{original, ours},
};

/// The options of memmon.
#[derive(Clone, Debug, PartialEq)]
pub struct MemmonOptions {
    /// Every limit, exclusions applied: programs, groups, then the one for all, each in the order given.
    pub limits: Vec<MemoryLimit>,
    /// Bytes by the name that `-p` gave, sorted, for the status line.
    pub programs: BTreeMap<String, u64>,
    /// Bytes by the name that `-g` gave, sorted, for the status line.
    pub groups: BTreeMap<String, u64>,
    /// Bytes for every process.
    pub any: Option<u64>,
    /// Every given name, with the excluded ones; with `--any` also the pattern for all.
    pub named: Vec<name_check::NamePattern>,
    /// The kind of memory that is measured.
    pub metric: MemoryMetric,
    /// No mail about a process that has been up for more seconds than this; may be negative, as in superlance.
    pub uptime: Option<i64>,
    /// A name for the subject.
    pub name: Option<String>,
    /// The mail transport and the recipients.
    pub destination: MailDestination,
    /// The ticks in a row over the limit that it takes to act; at least 1.
    pub ticks: u32,
    /// What is done to a process over its limit.
    pub action: MemoryAction,
    /// How long the same problem is not mailed again.
    pub remind: RemindInterval,
    /// Leave out the Details.
    pub brief: bool,
    /// Send one alert now and exit.
    pub test_alert: bool,
    /// Arguments from the first on that is no option. Superlance ignores them silently.
    pub ignored: Vec<String>,
}

const PAGE: HelpPage = HelpPage {
    command: "memmon",
    original: "as in superlance",
    operands: "",
    about: "An event listener of supervisord for TICK_60: restarts programs that use too much memory, and mails. SIZE \
            is bytes, or with KB, MB or GB. PATTERN is NAME, GROUP:NAME or GROUP:*; -p '!PATTERN' and -g '!GROUP' \
            leave these out.",
    example: "memmon -p shop:web=400MB -g workers=1GB -a 2GB --for 3 -m ops@example.com",
};

#[derive(Default)]
struct RawOptions {
    /// In the order given; a repeated name keeps its place and takes the new size.
    programs: Vec<(String, u64)>,
    groups: Vec<(String, u64)>,
    any: Option<u64>,
    /// The excluded patterns and groups, without `!`.
    excluded_programs: Vec<String>,
    excluded_groups: Vec<String>,
    cumulative: bool,
    pss: bool,
    uptime: Option<i64>,
    name: Option<String>,
    ticks: Option<u32>,
    signal: Option<ProcessSignal>,
    notify_only: bool,
    shared: SharedOptions,
}

impl AsMut<SharedOptions> for RawOptions {
    fn as_mut(&mut self) -> &mut SharedOptions {
        &mut self.shared
    }
}

fn rows() -> Vec<OptionRow<RawOptions>> {
    let mut rows = vec![help_row()];
    rows.extend(limit_rows());
    rows.extend(mailer_rows());
    rows.extend(mail_rows());
    rows.extend(our_rows());
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

fn limit_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        original(
            'c',
            "cumulative",
            Takes::Nothing,
            "the memory of a process and all its descendants",
            |raw: &mut RawOptions, _| raw.cumulative = true,
        ),
        original(
            'p',
            "program",
            Takes::Value("PATTERN=SIZE"),
            "a limit for these programs; may be repeated",
            |raw, given| {
                match named(given, Selection::add)? {
                    LimitArg::Limit(name, bytes) => put(&mut raw.programs, name, bytes),
                    LimitArg::Excluded(pattern) => raw.excluded_programs.push(pattern),
                }
                Ok(())
            },
        ),
        original(
            'g',
            "group",
            Takes::Value("GROUP=SIZE"),
            "a limit for each process of this group; may be repeated",
            |raw, given| {
                match named(given, Selection::add_group)? {
                    LimitArg::Limit(name, bytes) => put(&mut raw.groups, name, bytes),
                    LimitArg::Excluded(group) => raw.excluded_groups.push(group),
                }
                Ok(())
            },
        ),
        original('a', "any", Takes::Value("SIZE"), "a limit for every process", |raw, given| {
            raw.any = Some(size(given, given.value())?);
            Ok(())
        }),
    ]
}

fn mail_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        original(
            'u',
            "uptime",
            Takes::Value("TIME"),
            "no mail about a process that had been up for longer (90, 90s, 5m, 2h, 1d)",
            |raw: &mut RawOptions, given| {
                // As in superlance the option's name has no quotes here, unlike in the messages about sizes.
                raw.uptime = Some(number::seconds(given.value()).ok_or_else(|| {
                    let value = repr(given.value());
                    OptionError::Unparseable(format!(
                        "Unparseable value for time in {value} for {}",
                        given.name
                    ))
                })?);
                Ok(())
            },
        ),
        original(
            'n',
            "name",
            Takes::Value("NAME"),
            "a name for the subject: memmon [NAME]: ...",
            |raw, given| raw.name = Some(given.value().to_owned()),
        ),
    ]
}

fn our_rows() -> Vec<OptionRow<RawOptions>> {
    vec![
        ours(
            "for",
            Takes::Value("N"),
            "act after N ticks over the limit in a row, 1 by default",
            |raw: &mut RawOptions, given| {
                raw.ticks = Some(count(given)?);
                Ok(())
            },
        ),
        ours(
            "pss",
            Takes::Nothing,
            "proportional instead of resident memory: shared pages are shared out",
            |raw, _| raw.pss = true,
        ),
        ours(
            "signal",
            Takes::Value("SIGNAL"),
            "send this (USR1, SIGUSR1 or 10) to the process instead of restarting it",
            |raw, given| {
                let signal = ProcessSignal::parse(given.value());
                raw.signal =
                    Some(signal.ok_or_else(|| {
                        OptionError::value(given, "not a signal such as USR1, SIGUSR1 or 10")
                    })?);
                Ok(())
            },
        ),
        ours("notify-only", Takes::Nothing, "mail, and restart nothing", |raw, _| raw.notify_only = true),
        remind_row(),
    ]
}

/// The value of `-p` or `-g`.
enum LimitArg {
    Limit(String, u64),
    /// With its `!`.
    Excluded(String),
}

type Check = fn(&mut Selection, &str) -> Result<(), SelectionError>;

fn named(given: &OptionArg, check: Check) -> Result<LimitArg, OptionError> {
    let value = given.value();
    let checked = |name: &str| {
        let result = check(&mut Selection::default(), name);
        result.map_err(|error| unusable_pattern(given, &error))
    };
    if value.starts_with('!') {
        if value.contains('=') {
            return Err(OptionError::value(given, "what is left out by ! has no size"));
        }
        checked(value)?;
        return Ok(LimitArg::Excluded(value.to_owned()));
    }
    let Some((name, text)) = value.split_once('=').filter(|(_, text)| !text.contains('=')) else {
        let (value, option) = (repr(value), repr(&given.name));
        return Err(OptionError::Unparseable(format!("Unparseable value {value} for {option}")));
    };
    let bytes = size(given, text)?;
    checked(name)?;
    Ok(LimitArg::Limit(name.to_owned(), bytes))
}

fn size(given: &OptionArg, text: &str) -> Result<u64, OptionError> {
    number::bytes(text).ok_or_else(|| {
        let (value, option) = (repr(text), repr(&given.name));
        OptionError::Unparseable(format!("Unparseable byte_size in {value} for {option}"))
    })
}

fn put(limits: &mut Vec<(String, u64)>, name: String, bytes: u64) {
    match limits.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = bytes,
        None => limits.push((name, bytes)),
    }
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &OptionsEnv<'_>) -> Parsed<MemmonOptions> {
    parsed(read(args, environment), ParserStyle::Getopt, PAGE.command, help)
}

/// The command's help.
pub fn help() -> CommandHelp {
    CommandHelp::of_listener(&PAGE, &rows())
}

fn read(args: &[String], environment: &OptionsEnv<'_>) -> Result<MemmonOptions, OptionError> {
    if args.is_empty() {
        return Err(OptionError::UsageError("cannot watch anything: no option is given".into()));
    }
    let rows = rows();
    let (hits, operands) = getopt::parse(&rows, args)?;
    let mut raw = RawOptions::default();
    getopt::apply(&hits, &mut raw)?;
    raw.resolve(operands.to_vec(), environment)
}

impl RawOptions {
    fn named(&self) -> Vec<name_check::NamePattern> {
        let programs = self.programs.iter().map(|(name, _)| name).chain(&self.excluded_programs);
        let groups = self.groups.iter().map(|(name, _)| name).chain(&self.excluded_groups);
        let every = self.any.map(|_| name_check::NamePattern::Program("*".to_owned()));
        let programs = programs.cloned().map(name_check::NamePattern::Program);
        programs.chain(groups.cloned().map(name_check::NamePattern::Group)).chain(every).collect()
    }

    fn resolve(
        self,
        ignored: Vec<String>,
        environment: &OptionsEnv<'_>,
    ) -> Result<MemmonOptions, OptionError> {
        let remedy = match (self.signal, self.notify_only) {
            (Some(_), true) => {
                return Err(OptionError::Unusable(
                    "cannot use --signal and --notify-only together: which is it?".into(),
                ));
            }
            (Some(signal), false) => MemoryAction::Signal(signal),
            (None, true) => MemoryAction::NotifyOnly,
            (None, false) => MemoryAction::Restart,
        };
        Ok(MemmonOptions {
            limits: self.limits(),
            named: self.named(),
            any: self.any,
            metric: match (self.cumulative, self.pss) {
                (false, false) => MemoryMetric::Rss,
                (true, false) => MemoryMetric::CumulativeRss,
                (false, true) => MemoryMetric::Pss,
                (true, true) => MemoryMetric::CumulativePss,
            },
            uptime: self.uptime,
            destination: destination::resolve(&self.shared.mail, environment)?,
            ticks: self.ticks.unwrap_or(1),
            action: remedy,
            remind: self.shared.remind,
            brief: self.shared.mail.brief,
            test_alert: self.shared.mail.test_alert,
            ignored,
            name: self.name,
            programs: self.programs.into_iter().collect(),
            groups: self.groups.into_iter().collect(),
        })
    }

    fn limits(&self) -> Vec<MemoryLimit> {
        let all = self.any.map(|bytes| ("any".to_owned(), bytes));
        let programs = self.programs.iter().map(|entry| (entry, Selection::add as Check));
        let groups = self.groups.iter().map(|entry| (entry, Selection::add_group as Check));
        let any = all.iter().map(|entry| (entry, every as Check));
        let limits = programs.chain(groups).chain(any).map(|((name, bytes), add)| {
            let mut selection = Selection::default();
            let exclusions = self.excluded_programs.iter().map(|name| (name, Selection::add as Check));
            let exclusions = exclusions
                .chain(self.excluded_groups.iter().map(|name| (name, Selection::add_group as Check)));
            for (pattern, add) in std::iter::once((name, add)).chain(exclusions) {
                add(&mut selection, pattern).expect("every pattern was tried when it was given");
            }
            MemoryLimit { named: format!("{name}={bytes}"), processes: selection, bytes: *bytes }
        });
        limits.collect()
    }
}

/// Includes every process; `-a` has no pattern.
fn every(selection: &mut Selection, _: &str) -> Result<(), SelectionError> {
    selection.include_all();
    Ok(())
}

#[cfg(test)]
mod tests;
