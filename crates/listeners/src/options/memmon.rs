//! The command line of memmon.

use std::collections::BTreeMap;

use ironlance_core::python::repr;
use ironlance_core::selection::SelectionError;
use ironlance_core::{Selection, aim};

use super::delivery::{self, Delivery};
use super::refusal::{Refusal, Row, Style, count, exit, help_row};
use super::remind::{Remind, remind_row};
use super::signal::Signal;
use super::wishes::{Wishes, mailer_rows, server_rows, shared_rows};
use super::{Environment, Parsed, number};
use crate::probe::memory::Measure;
use crate::rule::memory::Limit;
use ironlance_core::args::{
    Given, Takes, getopt,
    help::{self, Page},
    table::{original, ours},
};

/// What memmon is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct MemmonOptions {
    /// Every limit, exclusions applied: programs, groups, then the one for all, each in the order of their coming.
    pub limits: Vec<Limit>,
    /// Bytes by the name that `-p` gave, sorted, for the status line.
    pub programs: BTreeMap<String, u64>,
    /// Bytes by the name that `-g` gave, sorted, for the status line.
    pub groups: BTreeMap<String, u64>,
    /// Bytes for every process.
    pub any: Option<u64>,
    /// Every name that was given, those that are left out too; with `--any` also the pattern for all.
    pub named: Vec<aim::Named>,
    /// Which memory counts.
    pub measure: Measure,
    /// No mail about a process that has been up for more seconds than this; may be negative, as in superlance.
    pub uptime: Option<i64>,
    /// A name for the subject.
    pub name: Option<String>,
    /// How and to whom.
    pub delivery: Delivery,
    /// The ticks over the limit in a row that it takes; at least 1.
    pub ticks: u32,
    /// What is done to a process over its limit.
    pub remedy: Remedy,
    /// How long a trouble that lasts is not mailed about again.
    pub remind: Remind,
    /// No Details.
    pub brief: bool,
    /// Send one alert now, and exit.
    pub test_alert: bool,
    /// Arguments from the first on that is no option. Superlance passes over them in silence.
    pub ignored: Vec<String>,
}

/// What is done to a process over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is restarted.
    Restart,
    /// It is sent a signal.
    Signal(Signal),
    /// Nothing but a mail.
    NotifyOnly,
}

const PAGE: Page = Page {
    command: "memmon",
    original: "as in superlance",
    operands: "",
    about: "An event listener of supervisord for TICK_60: restarts programs that use too much memory, and mails. SIZE \
            is bytes, or with KB, MB or GB. PATTERN is NAME, GROUP:NAME or GROUP:*; -p '!PATTERN' and -g '!GROUP' \
            leave these out.",
    example: "memmon -p shop:web=400MB -g workers=1GB -a 2GB --for 3 -m ops@example.com",
};

#[derive(Default)]
struct Asked {
    /// In the order of their coming; a name that comes again keeps its place and takes the new size.
    programs: Vec<(String, u64)>,
    groups: Vec<(String, u64)>,
    any: Option<u64>,
    /// Patterns and groups without their `!`.
    leave_programs: Vec<String>,
    leave_groups: Vec<String>,
    cumulative: bool,
    pss: bool,
    uptime: Option<i64>,
    name: Option<String>,
    ticks: Option<u32>,
    signal: Option<Signal>,
    notify_only: bool,
    remind: Remind,
    wishes: Wishes,
}

impl AsMut<Remind> for Asked {
    fn as_mut(&mut self) -> &mut Remind {
        &mut self.remind
    }
}

impl AsMut<Wishes> for Asked {
    fn as_mut(&mut self) -> &mut Wishes {
        &mut self.wishes
    }
}

fn rows() -> Vec<Row<Asked>> {
    let mut rows = vec![help_row()];
    rows.extend(limit_rows());
    rows.extend(mailer_rows());
    rows.extend(mail_rows());
    rows.extend(our_rows());
    rows.extend(server_rows());
    rows.extend(shared_rows());
    rows
}

fn limit_rows() -> Vec<Row<Asked>> {
    vec![
        original(
            'c',
            "cumulative",
            Takes::Nothing,
            "the memory of a process and all its descendants",
            |asked: &mut Asked, _| {
                asked.cumulative = true;
                Ok(())
            },
        ),
        original(
            'p',
            "program",
            Takes::Value("PATTERN=SIZE"),
            "a limit for these programs; may be repeated",
            |asked, given| {
                match named(given, Selection::add)? {
                    Named::Limit(name, bytes) => put(&mut asked.programs, name, bytes),
                    Named::LeftOut(pattern) => asked.leave_programs.push(pattern),
                }
                Ok(())
            },
        ),
        original(
            'g',
            "group",
            Takes::Value("GROUP=SIZE"),
            "a limit for each process of this group; may be repeated",
            |asked, given| {
                match named(given, Selection::add_group)? {
                    Named::Limit(name, bytes) => put(&mut asked.groups, name, bytes),
                    Named::LeftOut(group) => asked.leave_groups.push(group),
                }
                Ok(())
            },
        ),
        original('a', "any", Takes::Value("SIZE"), "a limit for every process", |asked, given| {
            asked.any = Some(size(given, given.value())?);
            Ok(())
        }),
    ]
}

fn mail_rows() -> Vec<Row<Asked>> {
    vec![
        original(
            'u',
            "uptime",
            Takes::Value("TIME"),
            "no mail about a process that had been up for longer (90, 90s, 5m, 2h, 1d)",
            |asked: &mut Asked, given| {
                // The option's name stands without quotes here, other than in the messages about sizes.
                asked.uptime = Some(number::seconds(given.value()).ok_or_else(|| {
                    let value = repr(given.value());
                    Refusal::Unparseable(format!("Unparseable value for time in {value} for {}", given.name))
                })?);
                Ok(())
            },
        ),
        original(
            'n',
            "name",
            Takes::Value("NAME"),
            "a name for the subject: memmon [NAME]: ...",
            |asked, given| {
                asked.name = Some(given.value().to_owned());
                Ok(())
            },
        ),
    ]
}

fn our_rows() -> Vec<Row<Asked>> {
    vec![
        ours(
            "for",
            Takes::Value("N"),
            "act after N ticks over the limit in a row, 1 unless told otherwise",
            |asked: &mut Asked, given| {
                asked.ticks = Some(count(given)?);
                Ok(())
            },
        ),
        ours(
            "pss",
            Takes::Nothing,
            "proportional instead of resident memory: shared pages are shared out",
            |asked, _| {
                asked.pss = true;
                Ok(())
            },
        ),
        ours(
            "signal",
            Takes::Value("SIGNAL"),
            "send this (USR1, SIGUSR1 or 10) to the process instead of restarting it",
            |asked, given| {
                let signal = Signal::parse(given.value());
                asked.signal = Some(
                    signal
                        .ok_or_else(|| Refusal::value(given, "not a signal such as USR1, SIGUSR1 or 10"))?,
                );
                Ok(())
            },
        ),
        ours("notify-only", Takes::Nothing, "mail, and restart nothing", |asked, _| {
            asked.notify_only = true;
            Ok(())
        }),
        remind_row(),
    ]
}

/// The value of `-p` or `-g`.
enum Named {
    Limit(String, u64),
    /// With its `!`.
    LeftOut(String),
}

type Check = fn(&mut Selection, &str) -> Result<(), SelectionError>;

fn named(given: &Given, check: Check) -> Result<Named, Refusal> {
    let value = given.value();
    let checked = |name: &str| {
        let result = check(&mut Selection::default(), name);
        result.map_err(|error| Refusal::Unusable(format!("cannot use the value of {}: {error}", given.name)))
    };
    if value.starts_with('!') {
        if value.contains('=') {
            return Err(Refusal::value(given, "what is left out by ! has no size"));
        }
        checked(value)?;
        return Ok(Named::LeftOut(value.to_owned()));
    }
    let Some((name, text)) = value.split_once('=').filter(|(_, text)| !text.contains('=')) else {
        let (value, option) = (repr(value), repr(&given.name));
        return Err(Refusal::Unparseable(format!("Unparseable value {value} for {option}")));
    };
    let bytes = size(given, text)?;
    checked(name)?;
    Ok(Named::Limit(name.to_owned(), bytes))
}

fn size(given: &Given, text: &str) -> Result<u64, Refusal> {
    number::bytes(text).ok_or_else(|| {
        let (value, option) = (repr(text), repr(&given.name));
        Refusal::Unparseable(format!("Unparseable byte_size in {value} for {option}"))
    })
}

fn put(limits: &mut Vec<(String, u64)>, name: String, bytes: u64) {
    match limits.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => *known = bytes,
        None => limits.push((name, bytes)),
    }
}

/// Reads the arguments, without the command's name.
pub fn parse(args: &[String], environment: &Environment<'_>) -> Parsed<MemmonOptions> {
    match read(args, environment) {
        Ok(options) => Parsed::Run(options),
        Err(refusal) => exit(&refusal, Style::Getopt, PAGE.command, &help()),
    }
}

/// The text of `--help`.
pub fn help() -> String {
    help::text(&PAGE, &rows())
}

fn read(args: &[String], environment: &Environment<'_>) -> Result<MemmonOptions, Refusal> {
    if args.is_empty() {
        return Err(Refusal::Usage("cannot watch anything: no option is given".into()));
    }
    let rows = rows();
    let (hits, operands) = getopt::split(&rows, args)?;
    let mut asked = Asked::default();
    getopt::apply(&hits, &mut asked)?;
    asked.settled(operands.to_vec(), environment)
}

impl Asked {
    fn named(&self) -> Vec<aim::Named> {
        let programs = self.programs.iter().map(|(name, _)| name).chain(&self.leave_programs);
        let groups = self.groups.iter().map(|(name, _)| name).chain(&self.leave_groups);
        let every = self.any.map(|_| aim::Named::Program("*".to_owned()));
        let programs = programs.cloned().map(aim::Named::Program);
        programs.chain(groups.cloned().map(aim::Named::Group)).chain(every).collect()
    }

    fn settled(self, ignored: Vec<String>, environment: &Environment<'_>) -> Result<MemmonOptions, Refusal> {
        let remedy = match (self.signal, self.notify_only) {
            (Some(_), true) => {
                return Err(Refusal::Unusable(
                    "cannot use --signal and --notify-only together: which is it?".into(),
                ));
            }
            (Some(signal), false) => Remedy::Signal(signal),
            (None, true) => Remedy::NotifyOnly,
            (None, false) => Remedy::Restart,
        };
        Ok(MemmonOptions {
            limits: self.limits(),
            named: self.named(),
            any: self.any,
            measure: match (self.cumulative, self.pss) {
                (false, false) => Measure::Rss,
                (true, false) => Measure::CumulativeRss,
                (false, true) => Measure::Pss,
                (true, true) => Measure::CumulativePss,
            },
            uptime: self.uptime,
            delivery: delivery::settle(&self.wishes, environment)?,
            ticks: self.ticks.unwrap_or(1),
            remedy,
            remind: self.remind,
            brief: self.wishes.brief,
            test_alert: self.wishes.test_alert,
            ignored,
            name: self.name,
            programs: self.programs.into_iter().collect(),
            groups: self.groups.into_iter().collect(),
        })
    }

    fn limits(&self) -> Vec<Limit> {
        let all = self.any.map(|bytes| ("any".to_owned(), bytes));
        let programs = self.programs.iter().map(|entry| (entry, Selection::add as Check));
        let groups = self.groups.iter().map(|entry| (entry, Selection::add_group as Check));
        let any = all.iter().map(|entry| (entry, every as Check));
        let limits = programs.chain(groups).chain(any).map(|((name, bytes), add)| {
            let mut who = Selection::default();
            let left_out = self.leave_programs.iter().map(|name| (name, Selection::add as Check));
            let left_out =
                left_out.chain(self.leave_groups.iter().map(|name| (name, Selection::add_group as Check)));
            for (pattern, add) in std::iter::once((name, add)).chain(left_out) {
                add(&mut who, pattern).expect("every pattern was tried when it was given");
            }
            Limit { named: format!("{name}={bytes}"), who, bytes: *bytes }
        });
        limits.collect()
    }
}

/// Takes in every process; `-a` has no pattern.
fn every(who: &mut Selection, _: &str) -> Result<(), SelectionError> {
    who.take_every();
    Ok(())
}

#[cfg(test)]
mod tests;
