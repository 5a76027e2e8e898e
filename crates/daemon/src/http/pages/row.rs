//! The table row of one program: [`ProgramRow`], the same for a new page and for live updates.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use askama::Template;
use ironlance_core::ProcessState;
use ironlance_core::process::oom::TimeWindow;
use ironlance_core::text::url_encoding::encode;

use super::condition::{UNEXPECTED, has_failed, is_up};
use super::context::PageContext;
use super::format;
use super::usage_sampler::Usage;
use crate::view::ProgramView;

/// How much of a log a link asks for, in bytes.
pub(super) const LOG_LIMIT: u32 = 64 * 1024;
/// Shown if a value is unknown.
const UNKNOWN_VALUE: &str = "–";

/// Where a row is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// In the table of all programs, below its group's row.
    InGroup,
    /// In the table of all programs.
    Single,
    /// On the page of the program.
    Alone,
}

#[derive(Template)]
#[template(path = "row.html")]
pub(super) struct ProgramRow<'a> {
    context: &'a PageContext<'a>,
    program: &'a ProgramView,
    key: String,
    link: String,
    shown: String,
    /// Its name in the labels of buttons and links.
    full: String,
    in_group: bool,
    /// The page to return to after an action.
    back: Option<&'static str>,
    state: &'static str,
    why: Option<Why>,
    /// When it was started (seconds since 1970), and how long ago.
    started: Option<(u64, String)>,
    cpu: String,
    memory: String,
    restarts: u64,
    up: bool,
    may_start: bool,
    limit: u32,
    /// `unexpected` if it exited so.
    end: &'static str,
    /// Whether it is filtered out.
    pub(super) is_hidden: bool,
}

struct Why {
    words: String,
    bad: bool,
}

impl<'a> ProgramRow<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, program: &'a ProgramView, place: RowPlace) -> Self {
        let messages = context.messages;
        let full = program.namespec.to_string();
        let (cpu, memory) = usage_texts(context.usage(program.pid));
        let started = program.started.filter(|_| program.pid.is_some());
        Self {
            context,
            program,
            key: program.namespec.qualified(),
            link: encode(&program.namespec.qualified()),
            shown: if place == RowPlace::InGroup { program.namespec.process.0.clone() } else { full.clone() },
            in_group: place == RowPlace::InGroup,
            back: (place == RowPlace::Alone).then_some("program"),
            state: (messages.states)(program.state),
            // The page of the program shows more of it below.
            why: (place != RowPlace::Alone).then(|| why(context, program)).flatten(),
            started: started.map(|at| (at.as_secs(), time_since(context, at))),
            cpu,
            memory,
            restarts: program.starts.saturating_sub(1),
            up: is_up(program.state),
            may_start: program.state != ProcessState::Stopping,
            full,
            limit: LOG_LIMIT,
            end: if has_failed(program) { UNEXPECTED } else { "" },
            is_hidden: false,
        }
    }
}

/// CPU and memory as they are shown.
pub(super) fn usage_texts(usage: Option<Usage>) -> (String, String) {
    match usage {
        Some(usage) => (format::share(usage.cpu), format::memory(usage.memory)),
        None => (UNKNOWN_VALUE.into(), UNKNOWN_VALUE.into()),
    }
}

/// The original's text for an exit before `startsecs`; the exit reason says more.
const TOO_QUICK_EXIT: &str = "Exited too quickly";

/// Why it does not run, or did not run for a while.
fn why(context: &PageContext<'_>, program: &ProgramView) -> Option<Why> {
    let messages = context.messages;
    let failed = matches!(program.state, ProcessState::Backoff | ProcessState::Fatal);
    let Some(end) = &program.end else {
        return failed.then(|| Why { words: (messages.exit_reason)(&program.description), bad: true });
    };
    let (requested, reason) = (end.cause.requested(), (messages.exit_reason)(&end.cause.status_text()));
    // A requested stop is not worth showing while the program runs again; an unrequested exit is.
    if requested && !end.cause.out_of_memory() && program.state != ProcessState::Stopped {
        return None;
    }
    let mut parts = Vec::with_capacity(4);
    if failed && !program.description.is_empty() && !program.description.starts_with(TOO_QUICK_EXIT) {
        parts.push((messages.exit_reason)(&program.description));
    }
    let is_said = failed && end.cause.status_text() == program.description;
    match &end.cause.by {
        Some(by) if requested => parts.push((messages.stopped_by)(&by.to_string())),
        _ if is_said => {}
        Some(by) => parts.push((messages.signal_by)(&reason, &by.to_string())),
        None => parts.push(reason),
    }
    if end.cause.out_of_memory() {
        parts.push(messages.out_of_memory.to_owned());
    }
    if let Some(window) = end.cause.oom_window() {
        parts.push(oom_text(context, window));
    }
    if !requested {
        parts.push((messages.after_uptime)(&format::span(end.up, messages.units)));
    }
    parts.push(format::moment(context.clock, end.at, context.now));
    let over = !matches!(program.state, ProcessState::Running | ProcessState::Starting);
    let all = parts.join(" · ");
    Some(Why { words: if over { all } else { (messages.previous_exit)(&all) }, bad: over && !end.expected })
}

/// The text about an out-of-memory kill nearby.
pub(super) fn oom_text(context: &PageContext<'_>, window: TimeWindow) -> String {
    let TimeWindow { from, to } = window;
    let [from, to] = [from, to].map(|at| format::moment(context.clock, at, context.now));
    (context.messages.oom_nearby)(&if from == to { to } else { format!("{from}–{to}") })
}

/// A hash of everything in the row, except what the script and the usage updates change.
pub(super) fn fingerprint(program: &ProgramView) -> u64 {
    let mut hasher = DefaultHasher::new();
    let ProgramView {
        namespec,
        state,
        description,
        pid,
        started,
        starts,
        is_listener,
        has_stdout,
        has_stderr,
        end,
        // It changes only with the process itself.
        settings: _,
    } = program;
    (namespec, state, pid, started.map(|at| at.as_secs()), starts).hash(&mut hasher);
    (is_listener, has_stdout, has_stderr).hash(&mut hasher);
    // The description of a running process contains its uptime.
    if !is_up(*state) || *state == ProcessState::Backoff {
        description.hash(&mut hasher);
    }
    if let Some(end) = end {
        let cause = &end.cause;
        (end.at, end.up, cause.status_text(), end.expected).hash(&mut hasher);
        (cause.requested(), cause.out_of_memory()).hash(&mut hasher);
    }
    hasher.finish()
}

/// How long ago a time was.
pub(super) fn time_since(context: &PageContext<'_>, at: Duration) -> String {
    format::uptime(context.now.saturating_sub(at), context.messages.units[0])
}
