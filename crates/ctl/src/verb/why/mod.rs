//! `why NAME…`: why a process last ended, on one screen; or as JSON.

mod facts;
mod report;

use ironlance_host::local_time::LocalClock;
use ironlance_rpc::api::ExitInfo;
use serde::Serialize;

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::json::{self, OutputFormat};
use crate::output::style;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb, refuse};
use crate::verb::listeners;
use facts::{Expectation, NameMatch, ProcessFacts, ReportedCause};

pub(crate) const VERB: Verb = Verb {
    name: "why",
    help: &[
        "why <name>\t\tWhy a process last ended: status or signal, how long it ran, its last lines",
        "why <gname>:*\t\tThe same for all processes in a group; patterns such as web* work too",
        "why all\t\t\tThe same for all that ended unexpectedly; also without a name",
        "--json\t\t\tThe same as JSON, for scripts",
    ],
    completes: Completion::Processes,
    run,
    ..Verb::OURS
};

/// A process in `why --json`.
#[derive(Debug, Serialize)]
struct ProcessObject<'a> {
    name: &'a str,
    group: &'a str,
    namespec: String,
    /// The first line of the screen.
    answer: String,
    state: &'static str,
    pid: Option<u32>,
    /// The number of starts; `null` from the original.
    starts: Option<u64>,
    spawnerr: &'a str,
    next: &'static str,
    /// `null` if it has never ended, and from the original.
    end: Option<ExitObject<'a>>,
    stdout_tail: &'a str,
    stderr_tail: &'a str,
    /// The problems of an event listener; `null` for other processes, and from the original.
    listener: Option<&'a [String]>,
}

/// Its last exit.
#[derive(Debug, Default, Serialize)]
struct ExitObject<'a> {
    description: &'a str,
    pid: i64,
    /// `null` after a signal, and if the program did not run.
    status: Option<i64>,
    /// `null` if no signal ended it.
    signal: Option<&'a str>,
    core: bool,
    oom_kill: bool,
    /// What failed before the program ran; `null` if it ran.
    not_started: Option<&'a str>,
    /// How a listener violated the protocol; `null` if it was not recycled.
    recycled: Option<&'a str>,
    expected: bool,
    told: bool,
    /// The client that had supervisord send a signal; `null` if there was none.
    by: Option<&'a str>,
    /// The interval (seconds since 1970) in which the kernel's OOM killer hit a process of the control group, if it is not
    /// known to be this one.
    oom_near: Option<[i64; 2]>,
    /// Seconds.
    uptime: f64,
    /// Seconds since 1970.
    ended_at: i64,
}

impl<'a> ProcessObject<'a> {
    fn new(facts: &'a ProcessFacts, clock: &LocalClock) -> Self {
        let info = &facts.info;
        Self {
            name: &info.name,
            group: &info.group,
            namespec: info.namespec().to_string(),
            answer: report::headline(facts, clock),
            state: facts.state().name(),
            pid: (info.pid != 0).then_some(info.pid),
            starts: facts.record.as_ref().map(|record| record.starts),
            spawnerr: &info.spawnerr,
            next: report::next(facts),
            end: facts.exit().map(ExitObject::new),
            stdout_tail: &facts.stdout,
            stderr_tail: &facts.stderr,
            listener: facts.listener.as_deref(),
        }
    }
}

impl<'a> ExitObject<'a> {
    fn new(end: &'a ExitInfo) -> Self {
        let (cause, expectation) = (ReportedCause::of(end), Expectation::of(end));
        let mut object = Self {
            description: &end.description,
            pid: end.pid,
            expected: expectation != Expectation::Unexpected,
            told: expectation == Expectation::Requested,
            by: end.by.as_deref(),
            oom_near: end.oom_near().map(|(from, to)| [from, to]),
            uptime: end.uptime,
            ended_at: end.ended_at,
            ..Self::default()
        };
        match cause {
            ReportedCause::Exited { status } => object.status = Some(status),
            ReportedCause::Killed { signal, core } => (object.signal, object.core) = (Some(signal), core),
            ReportedCause::OutOfMemory { signal } => {
                (object.signal, object.oom_kill) = (Some(signal), true);
            }
            ReportedCause::NotStarted { reason } => object.not_started = Some(reason),
            ReportedCause::Recycled { violation } => object.recycled = Some(violation),
        }
        object
    }
}

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let mut names = words(rest);
    let form = json::take_json_option(&mut names);
    if let Some(option) = names.iter().find(|name| name.starts_with('-')) {
        refuse(session, &VERB, exit_status::INVALID_ARGS, &format!("Error: why has no option {option}"));
        return Ok(());
    }
    if !session.check_server()? {
        return Ok(());
    }
    let terminal = session.terminal();
    let mut found = facts::gather(&mut session.caller(), &names)?;
    add_listener_problems(session, &mut found)?;
    let mut processes = Vec::new();
    let mut lines = Vec::new();
    for found in &found {
        match found {
            NameMatch::Process(facts) => processes.push(&**facts),
            NameMatch::NoProcess(name) => {
                let line = format!("{name}: ERROR (no such process)");
                match form {
                    OutputFormat::Text => {
                        lines.push(style::sanitized(&line, terminal).into_owned());
                        lines.extend(session.suggestion(name));
                    }
                    OutputFormat::Json => session.print_error(&line),
                }
                session.status = exit_status::GENERIC;
            }
        }
    }
    let clock = LocalClock::new();
    match form {
        OutputFormat::Json => {
            let reports: Vec<ProcessObject<'_>> =
                processes.iter().map(|facts| ProcessObject::new(facts, &clock)).collect();
            lines = json::lines(&reports);
        }
        OutputFormat::Text => {
            let is_slight = processes.iter().any(|facts| facts.record.is_none());
            for facts in processes {
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                lines.extend(report::screen(facts, &clock, terminal));
            }
            if is_slight {
                lines.push(report::ORIGINAL_NOTE.to_owned());
            }
            if lines.is_empty() {
                lines.push("No process has ended unexpectedly.".to_owned());
            }
        }
    }
    lines.iter().for_each(|line| session.print(line));
    Ok(())
}

/// Adds the problems of event listeners: a listener may run without doing its work.
fn add_listener_problems(session: &mut Session, found: &mut [NameMatch]) -> Result<(), CtlError> {
    let is_told = |found: &NameMatch| matches!(found, NameMatch::Process(facts) if facts.record.is_some());
    if !found.iter().any(is_told) {
        return Ok(());
    }
    let wrong = listeners::problems(session)?;
    for found in found {
        if let NameMatch::Process(facts) = found {
            let namespec = facts.info.namespec();
            facts.listener = wrong.iter().find(|(name, _)| *name == namespec).map(|(_, wrong)| wrong.clone());
        }
    }
    Ok(())
}
