//! The row of one program: the same when the page is made and when it is brought up to date.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use askama::Template;
use ironlance_core::ProcessState;
use ironlance_core::process::oom::TimeWindow;

use super::condition::{UNEXPECTED, has_failed, is_up};
use super::context::PageContext;
use super::format;
use super::query::encode;
use super::usage_sampler::Usage;
use crate::view::ProgramView;

/// So much of a log a link asks for, in bytes.
pub(super) const LIMIT: u32 = 64 * 1024;
/// What stands where nothing is known.
const NOTHING: &str = "–";

/// On which page a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// Among all programs, below the row of its group.
    InGroup,
    /// Among all programs.
    Single,
    /// On its own page.
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
    in_group: bool,
    /// The page to come back to.
    back: Option<&'static str>,
    state: &'static str,
    why: Option<Why>,
    /// When it was started, in seconds since 1970, and how long ago that is.
    started: Option<(u64, String)>,
    cpu: String,
    memory: String,
    restarts: u64,
    up: bool,
    may_start: bool,
    labels: Labels,
    limit: u32,
    /// `unexpected` where it ended so.
    end: &'static str,
    is_hidden: bool,
}

struct Why {
    words: String,
    bad: bool,
}

/// What buttons and links are called where nobody sees the row.
struct Labels {
    start: String,
    stop: String,
    restart: String,
    clear: String,
    log: String,
    stderr: String,
}

impl<'a> ProgramRow<'a> {
    pub(super) fn new(context: &'a PageContext<'a>, program: &'a ProgramView, place: RowPlace) -> Self {
        let messages = context.messages;
        let full = program.namespec.to_string();
        let (cpu, memory) = measured(context.usage(program.pid));
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
            // Its own page says more of it below.
            why: (place != RowPlace::Alone).then(|| why(context, program)).flatten(),
            started: started
                .map(|at| (at.as_secs(), format::uptime(context.now.saturating_sub(at), messages.day))),
            cpu,
            memory,
            restarts: program.starts.saturating_sub(1),
            up: is_up(program.state),
            may_start: program.state != ProcessState::Stopping,
            labels: Labels {
                start: (messages.start_of)(&full),
                stop: (messages.stop_of)(&full),
                restart: (messages.restart_of)(&full),
                clear: (messages.clear_of)(&full),
                log: (messages.log_of)(&full),
                stderr: (messages.stderr_of)(&full),
            },
            limit: LIMIT,
            end: if has_failed(program) { UNEXPECTED } else { "" },
            is_hidden: false,
        }
    }

    /// The same, to be seen or not.
    pub(super) fn shown_if(self, shown: bool) -> Self {
        Self { is_hidden: !shown, ..self }
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.is_hidden
    }
}

/// Processor and memory as they stand in their cells.
pub(super) fn measured(usage: Option<Usage>) -> (String, String) {
    match usage {
        Some(usage) => (format::share(usage.cpu), format::memory(usage.memory)),
        None => (NOTHING.into(), NOTHING.into()),
    }
}

/// What the original says of a process that ended before `startsecs`; how it ended says more.
const TOO_QUICKLY: &str = "Exited too quickly";

/// Why it is not there, or was not for a while.
fn why(context: &PageContext<'_>, program: &ProgramView) -> Option<Why> {
    let messages = context.messages;
    let failed = matches!(program.state, ProcessState::Backoff | ProcessState::Fatal);
    let Some(end) = &program.end else {
        return failed.then(|| Why { words: (messages.exit_reason)(&program.description), bad: true });
    };
    // Who was told to stop and did is no news; a process that runs again is, where it had not been told to end.
    if end.told && !end.out_of_memory && program.state != ProcessState::Stopped {
        return None;
    }
    let mut parts = Vec::with_capacity(4);
    if failed && !program.description.is_empty() && !program.description.starts_with(TOO_QUICKLY) {
        parts.push((messages.exit_reason)(&program.description));
    }
    let is_said = failed && end.words == program.description;
    match (end.told, &end.by) {
        (true, Some(by)) => parts.push((messages.stopped_by)(by)),
        (true, None) => parts.push(messages.stopped_on_request.to_owned()),
        (false, _) if is_said => {}
        (false, Some(by)) => parts.push((messages.signal_by)(&(messages.exit_reason)(&end.words), by)),
        (false, None) => parts.push((messages.exit_reason)(&end.words)),
    }
    if end.out_of_memory {
        parts.push(messages.out_of_memory.to_owned());
    }
    if let Some(window) = end.near_memory {
        parts.push(near_memory(context, window));
    }
    if !end.told {
        parts.push((messages.after_uptime)(&format::span(end.up, messages.units)));
    }
    parts.push(format::moment(context.clock, end.at, context.now));
    let over = !matches!(program.state, ProcessState::Running | ProcessState::Starting);
    let all = parts.join(" · ");
    Some(Why { words: if over { all } else { (messages.previous_exit)(&all) }, bad: over && !end.expected })
}

/// That somebody was killed for want of memory, and when.
pub(super) fn near_memory(context: &PageContext<'_>, window: TimeWindow) -> String {
    let TimeWindow { from, to } = window;
    let [from, to] = [from, to].map(|at| format::moment(context.clock, at, context.now));
    (context.messages.oom_nearby)(&if from == to { to } else { format!("{from}–{to}") })
}

/// A number that changes whenever the row does, apart from what its own script and the gauges bring up to date.
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
        // It changes with the process itself.
        settings: _,
    } = program;
    (namespec, state, pid, started.map(|at| at.as_secs()), starts).hash(&mut hasher);
    (is_listener, has_stdout, has_stderr).hash(&mut hasher);
    // While it runs, the description counts the seconds.
    if !is_up(*state) || *state == ProcessState::Backoff {
        description.hash(&mut hasher);
    }
    if let Some(end) = end {
        (end.at, end.up, &end.words, end.expected, end.told, end.out_of_memory).hash(&mut hasher);
    }
    hasher.finish()
}

/// How long ago something began.
pub(super) fn ago(context: &PageContext<'_>, at: Duration) -> String {
    format::uptime(context.now.saturating_sub(at), context.messages.day)
}
