//! `why NAME…`: why a process last ended, in one screen.

mod case;
mod told;

use ironlance_host::local_time::LocalClock;
use serde::Serialize;

use crate::json::{self, Form};
use crate::listeners;
use crate::paint;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb, say_help};
use case::{Case, Expectation, Found, How, Knowledge};

pub(crate) const VERB: Verb = Verb {
    name: "why",
    help: &[
        "why <name>\t\tWhy a process last ended: status or signal, how long it ran, its last lines",
        "why <gname>:*\t\tThe same for all processes in a group; patterns such as web* work too",
        "why all\t\t\tThe same for all that ended unexpectedly; also without a name",
        "--json\t\t\tThe same as JSON, for scripts",
    ],
    ours: &[],
    completes: Completes::Processes,
    shelf: Shelf::Ours,
    run,
};

/// A case in `why --json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    name: &'a str,
    group: &'a str,
    namespec: String,
    /// The first line of the screen.
    answer: String,
    state: &'static str,
    pid: Option<u32>,
    /// How often it was started; `null` from the original.
    starts: Option<i64>,
    spawnerr: &'a str,
    next: &'static str,
    /// `null` where it has never ended, and from the original.
    end: Option<EndReport<'a>>,
    stdout_tail: &'a str,
    stderr_tail: &'a str,
    /// What is wrong with it as a listener; `null` where it is none, and from the original.
    listener: Option<&'a [String]>,
}

/// Its end.
#[derive(Debug, Serialize)]
struct EndReport<'a> {
    description: &'a str,
    pid: i64,
    /// `null` after a signal, and where the program did not run.
    status: Option<i64>,
    /// `null` where none ended it.
    signal: Option<&'a str>,
    core: bool,
    oom_kill: bool,
    /// What failed before the program ran; `null` if it did run.
    not_started: Option<&'a str>,
    /// What a listener did that broke the protocol; `null` where that is not why.
    recycled: Option<&'a str>,
    expected: bool,
    told: bool,
    /// Who had supervisord send it a signal, in words; `null` where it had sent none.
    by: Option<&'a str>,
    /// When a process of the control group was killed for want of memory, in seconds since 1970, where it cannot be known
    /// whether it was this one.
    oom_near: Option<[i64; 2]>,
    /// Seconds.
    uptime: f64,
    /// Seconds since 1970.
    ended_at: i64,
}

impl<'a> Report<'a> {
    fn new(case: &'a Case, clock: &LocalClock) -> Self {
        let info = &case.info;
        Self {
            name: &info.name,
            group: &info.group,
            namespec: info.namespec().to_string(),
            answer: told::answer(case, clock),
            state: case.state().name(),
            pid: (info.pid != 0).then_some(info.pid),
            starts: match &case.knowledge {
                Knowledge::Full { starts, .. } => Some(*starts),
                Knowledge::Slight => None,
            },
            spawnerr: &info.spawnerr,
            next: told::next(case),
            end: case.end().map(EndReport::new),
            stdout_tail: &case.stdout,
            stderr_tail: &case.stderr,
            listener: case.listener.as_deref(),
        }
    }
}

impl<'a> EndReport<'a> {
    fn new(end: &'a case::End) -> Self {
        let (status, signal, core, not_started) = match &end.how {
            How::Exited { status } => (Some(*status), None, false, None),
            How::Killed { signal, core } => (None, Some(signal.as_str()), *core, None),
            How::OutOfMemory { signal } => (None, Some(signal.as_str()), false, None),
            How::NotStarted { why } => (None, None, false, Some(why.as_str())),
            How::Recycled { .. } => (None, None, false, None),
        };
        Self {
            description: &end.description,
            pid: end.pid,
            status,
            signal,
            core,
            oom_kill: matches!(end.how, How::OutOfMemory { .. }),
            not_started,
            recycled: match &end.how {
                How::Recycled { did } => Some(did),
                How::Exited { .. }
                | How::Killed { .. }
                | How::OutOfMemory { .. }
                | How::NotStarted { .. } => None,
            },
            expected: end.expectation != Expectation::Unexpected,
            told: end.expectation == Expectation::Told,
            by: end.by.as_deref(),
            oom_near: end.near.map(|(from, to)| [from, to]),
            uptime: end.uptime,
            ended_at: end.at,
        }
    }
}

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let mut names = words(rest);
    let form = json::form(&mut names);
    if let Some(option) = names.iter().find(|name| name.starts_with('-')) {
        session.refuse(status::INVALID_ARGS, &format!("Error: why has no option {option}"));
        say_help(session, &VERB);
        return Ok(Flow::Next);
    }
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    let terminal = session.terminal();
    let mut found = case::gather(&mut |method, params| session.call(method, params), &names)?;
    look_at_listeners(session, &mut found)?;
    let mut cases = Vec::new();
    let mut lines = Vec::new();
    for found in &found {
        match found {
            Found::Case(case) => cases.push(&**case),
            Found::Nobody(name) => {
                let line = format!("{name}: ERROR (no such process)");
                match form {
                    Form::Text => {
                        lines.push(paint::shown(&line, terminal).into_owned());
                        lines.extend(session.suggestion(name));
                    }
                    Form::Json => session.complain(&line),
                }
                session.status = status::GENERIC;
            }
        }
    }
    let clock = LocalClock::new();
    match form {
        Form::Json => {
            let reports: Vec<Report<'_>> = cases.iter().map(|case| Report::new(case, &clock)).collect();
            lines = json::lines(&reports);
        }
        Form::Text => {
            let is_slight = cases.iter().any(|case| case.knowledge == Knowledge::Slight);
            for case in cases {
                if !lines.is_empty() {
                    lines.push(String::new());
                }
                lines.extend(told::screen(case, &clock, terminal));
            }
            if is_slight {
                lines.push(told::ONLY_OURS.to_owned());
            }
            if lines.is_empty() {
                lines.push("No process has ended unexpectedly.".to_owned());
            }
        }
    }
    lines.iter().for_each(|line| session.say(line));
    Ok(Flow::Next)
}

/// A listener may run, and yet do nothing: what `listeners` says of those that are asked about.
fn look_at_listeners(session: &mut Session, found: &mut [Found]) -> Result<(), Trouble> {
    let is_told = |found: &Found| matches!(found, Found::Case(case) if case.knowledge != Knowledge::Slight);
    if !found.iter().any(is_told) {
        return Ok(());
    }
    let wrong = listeners::wrong(session)?;
    for found in found {
        if let Found::Case(case) = found {
            let namespec = case.info.namespec();
            case.listener = wrong.iter().find(|(name, _)| *name == namespec).map(|(_, wrong)| wrong.clone());
        }
    }
    Ok(())
}
