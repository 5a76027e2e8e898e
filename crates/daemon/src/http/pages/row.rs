//! The row of one program: the same when the page is made and when it is brought up to date.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use askama::Template;
use ironlance_core::ProcessState;
use ironlance_core::process::oom::TimeWindow;

use super::figures;
use super::filter::UNEXPECTED;
use super::frame::Frame;
use super::gauge::Reading;
use super::query::encode;
use crate::view::ProgramView;

/// So much of a log a link asks for, in bytes.
pub(super) const LIMIT: u32 = 64 * 1024;
/// What stands where nothing is known.
const NOTHING: &str = "–";

/// On which page a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Among all programs, below the row of its group.
    InGroup,
    /// Among all programs.
    Single,
    /// On its own page.
    Alone,
}

#[derive(Template)]
#[template(path = "row.html")]
pub(super) struct Row<'a> {
    frame: &'a Frame<'a>,
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

impl<'a> Row<'a> {
    pub(super) fn new(frame: &'a Frame<'a>, program: &'a ProgramView, place: Place) -> Self {
        let words = frame.words;
        let full = program.namespec.to_string();
        let (cpu, memory) = measured(frame.reading(program.pid));
        let started = program.started.filter(|_| program.pid.is_some());
        Self {
            frame,
            program,
            key: program.namespec.qualified(),
            link: encode(&program.namespec.qualified()),
            shown: if place == Place::InGroup { program.namespec.process.0.clone() } else { full.clone() },
            in_group: place == Place::InGroup,
            back: (place == Place::Alone).then_some("program"),
            state: (words.states)(program.state),
            // Its own page says more of it below.
            why: (place != Place::Alone).then(|| why(frame, program)).flatten(),
            started: started
                .map(|at| (at.as_secs(), figures::uptime(frame.now.saturating_sub(at), words.day))),
            cpu,
            memory,
            restarts: program.starts.saturating_sub(1),
            up: is_up(program.state),
            may_start: program.state != ProcessState::Stopping,
            labels: Labels {
                start: (words.start_of)(&full),
                stop: (words.stop_of)(&full),
                restart: (words.restart_of)(&full),
                clear: (words.clear_of)(&full),
                log: (words.log_of)(&full),
                stderr: (words.stderr_of)(&full),
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
pub(super) fn measured(reading: Option<Reading>) -> (String, String) {
    match reading {
        Some(reading) => (figures::share(reading.cpu), figures::memory(reading.memory)),
        None => (NOTHING.into(), NOTHING.into()),
    }
}

/// Whether the process is meant by `NAME` or `GROUP:NAME`.
pub(super) fn is_called(program: &ProgramView, name: &str) -> bool {
    program.namespec.qualified() == name || program.namespec.to_string() == name
}

/// Whether it has ended as it should not have.
pub(super) fn has_failed(program: &ProgramView) -> bool {
    program.state == ProcessState::Exited && program.end.as_ref().is_some_and(|end| !end.expected)
}

/// Whether it is there to be stopped (states.py, RUNNING_STATES).
pub(super) fn is_up(state: ProcessState) -> bool {
    matches!(state, ProcessState::Running | ProcessState::Starting | ProcessState::Backoff)
}

/// What the original says of a process that ended before `startsecs`; how it ended says more.
const TOO_QUICKLY: &str = "Exited too quickly";

/// Why it is not there, or was not for a while.
fn why(frame: &Frame<'_>, program: &ProgramView) -> Option<Why> {
    let words = frame.words;
    let failed = matches!(program.state, ProcessState::Backoff | ProcessState::Fatal);
    let Some(end) = &program.end else {
        return failed.then(|| Why { words: (words.ended)(&program.description), bad: true });
    };
    // Who was told to stop and did is no news; a process that runs again is, where it had not been told to end.
    if end.told && !end.out_of_memory && program.state != ProcessState::Stopped {
        return None;
    }
    let mut parts = Vec::with_capacity(4);
    if failed && !program.description.is_empty() && !program.description.starts_with(TOO_QUICKLY) {
        parts.push((words.ended)(&program.description));
    }
    let is_said = failed && end.words == program.description;
    match (end.told, &end.by) {
        (true, Some(by)) => parts.push((words.told_by)(by)),
        (true, None) => parts.push(words.told.to_owned()),
        (false, _) if is_said => {}
        (false, Some(by)) => parts.push((words.signal_by)(&(words.ended)(&end.words), by)),
        (false, None) => parts.push((words.ended)(&end.words)),
    }
    if end.out_of_memory {
        parts.push(words.out_of_memory.to_owned());
    }
    if let Some(window) = end.near_memory {
        parts.push(near_memory(frame, window));
    }
    if !end.told {
        parts.push((words.after)(&figures::span(end.up, words.units)));
    }
    parts.push(figures::moment(frame.clock, end.at, frame.now));
    let over = !matches!(program.state, ProcessState::Running | ProcessState::Starting);
    let all = parts.join(" · ");
    Some(Why { words: if over { all } else { (words.before)(&all) }, bad: over && !end.expected })
}

/// That somebody was killed for want of memory, and when.
pub(super) fn near_memory(frame: &Frame<'_>, window: TimeWindow) -> String {
    let TimeWindow { from, to } = window;
    let [from, to] = [from, to].map(|at| figures::moment(frame.clock, at, frame.now));
    (frame.words.near_memory)(&if from == to { to } else { format!("{from}–{to}") })
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
pub(super) fn ago(frame: &Frame<'_>, at: Duration) -> String {
    figures::uptime(frame.now.saturating_sub(at), frame.words.day)
}
