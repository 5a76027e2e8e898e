//! The text of `why`: a headline with the cause of the exit, then the facts behind it.

use std::time::{Duration, SystemTime};

use ironlance_core::ProcessState;
use ironlance_host::local_time::{self, LocalClock};

use ironlance_rpc::api::ExitInfo;

use super::facts::{Expectation, ProcessFacts, ReportedCause};
use crate::output::buffer::TerminalInfo;
use crate::output::style::{self, ExitExpectation};

/// The width of the label column.
const LABEL: usize = 11;
/// The indent of the headline's second line.
const CONTINUED: usize = 2;
/// The note below the report when the original answers.
pub(super) const ORIGINAL_NOTE: &str = "(The rest, as signal, core dump, out of memory, how long it ran and how often it was \
     started, is known to ironlance's supervisord only.)";

/// The screen of one process.
pub(super) fn screen(facts: &ProcessFacts, clock: &LocalClock, terminal: TerminalInfo) -> Vec<String> {
    let mut lines = vec![style::escape_controls(&headline(facts, clock))];
    let mut fact = |label: &str, text: &str| {
        let label = style::pad(label, LABEL);
        lines.push(format!("  {label}{text}"));
    };
    fact("now", &now_line(facts, clock, terminal));
    if let Some(wrong) = facts.listener.as_ref().filter(|wrong| !wrong.is_empty()) {
        fact("listener", &format!("! {}", style::escape_controls(&wrong.join("; "))));
    }
    if let Some(end) = facts.exit() {
        fact("last end", &style::escape_controls(&last_exit_line(end, clock)));
        // For a recycled listener the line before says so, with the reason.
        let is_recycled = matches!(ReportedCause::of(end), ReportedCause::Recycled { .. });
        if let Some(by) = end.by.as_ref().filter(|_| !is_recycled) {
            fact("by", &style::escape_controls(by));
        }
        fact("ran for", &span(end.uptime));
    } else if facts.info.stop > 0 {
        fact("last end", &moment(clock, facts.info.stop));
    }
    if let Some(record) = &facts.record {
        fact("started", &times(record.starts));
    }
    if let Some(why) = facts.start_failure().filter(|_| !is_in_exit_line(facts)) {
        fact("last start", &style::escape_controls(why));
    }
    if facts.state() != ProcessState::Running {
        fact("next", next(facts));
    }
    let mut tail = |channel: &str, text: &str| {
        if !text.is_empty() {
            lines.push(format!("  {channel}"));
            lines.extend(text.lines().map(|line| format!("  | {}", style::escape_controls(line))));
        }
    };
    tail("stdout", &facts.stdout);
    tail("stderr", &facts.stderr);
    if !terminal.is_terminal {
        return lines;
    }
    // The second line has colours, and is short. Output lines are truncated: the log has the rest.
    let fitting = |(at, line): (usize, String)| match at {
        0 => style::wrap(&line, terminal.columns, CONTINUED),
        1 => vec![line],
        _ if line.starts_with("  | ") => vec![style::truncate(&line, terminal.columns)],
        _ => style::wrap(&line, terminal.columns, 2 + LABEL),
    };
    lines.into_iter().enumerate().flat_map(fitting).collect()
}

fn is_in_exit_line(facts: &ProcessFacts) -> bool {
    let why = facts.exit().and_then(|end| match ReportedCause::of(end) {
        ReportedCause::NotStarted { reason } | ReportedCause::Recycled { violation: reason } => Some(reason),
        _ => None,
    });
    why.is_some_and(|why| why == facts.info.spawnerr)
}

/// The cause in one line: `worker: killed by SIGKILL, out of memory, after 3 h 12 min; restarted 4 times; RUNNING again …`.
pub(super) fn headline(facts: &ProcessFacts, clock: &LocalClock) -> String {
    let clauses = [Some(cause(facts, clock)), count(facts), current_state(facts, clock)];
    let clauses: Vec<String> = clauses.into_iter().flatten().collect();
    format!("{}: {}", facts.info.namespec(), clauses.join("; "))
}

fn cause(facts: &ProcessFacts, clock: &LocalClock) -> String {
    let is_recycled = matches!(facts.exit().map(ReportedCause::of), Some(ReportedCause::Recycled { .. }));
    if let Some(why) = facts.start_failure().filter(|_| !is_recycled) {
        return format!("cannot be started: {why}");
    }
    let Some(record) = &facts.record else { return cause_from_original(facts, clock) };
    match (&record.last, record.starts) {
        (Some(end), _) => exit_cause(end, too_quickly(facts)),
        (None, 0) => "has never been started".to_owned(),
        (None, _) => "has not ended since supervisord started".to_owned(),
    }
}

fn too_quickly(facts: &ProcessFacts) -> &'static str {
    let is_failing = matches!(facts.state(), ProcessState::Backoff | ProcessState::Fatal);
    if is_failing && !facts.info.spawnerr.is_empty() { ", too quickly" } else { "" }
}

fn exit_cause(end: &ExitInfo, addition: &str) -> String {
    let requested = match &end.by {
        Some(by) => format!("stopped by {by}"),
        None => "stopped as it was told".to_owned(),
    };
    let by = match ReportedCause::of(end) {
        ReportedCause::NotStarted { reason } => return format!("could not be started: {reason}"),
        ReportedCause::Recycled { violation } => {
            return format!("recycled by supervisord, because it {violation}, after {}", span(end.uptime));
        }
        ReportedCause::OutOfMemory { signal } => format!("killed by {signal}, out of memory,"),
        ReportedCause::Killed { signal, core } => {
            let core = if core { " (core dumped)" } else { "" };
            match Expectation::of(end) {
                Expectation::Requested => format!("{requested}, with {signal}{core},"),
                Expectation::Expected | Expectation::Unexpected => match &end.by {
                    Some(by) => format!("killed by {signal}{core}, which {by} sent,"),
                    None => format!("killed by {signal}{core}"),
                },
            }
        }
        ReportedCause::Exited { status } => match Expectation::of(end) {
            Expectation::Requested => format!("{requested}, with exit status {status},"),
            Expectation::Expected => format!("ended as expected, with exit status {status},"),
            Expectation::Unexpected => format!("ended with exit status {status}"),
        },
    };
    format!("{by} after {}{addition}", span(end.uptime))
}

/// The cause as the original knows it: it forgets the status at the next start, and has none for a failed start.
fn cause_from_original(facts: &ProcessFacts, clock: &LocalClock) -> String {
    let info = &facts.info;
    match facts.state() {
        _ if info.start == 0 => "has never been started".to_owned(),
        _ if info.stop == 0 => "has never ended".to_owned(),
        ProcessState::Exited => {
            let by = match info.exitstatus {
                -1 => "ended by a signal".to_owned(),
                status => format!("ended with exit status {status}"),
            };
            format!("{by} after {}", whole_span(info.stop.saturating_sub(info.start)))
        }
        ProcessState::Backoff | ProcessState::Fatal => "ended too quickly".to_owned(),
        _ => format!("last ended at {}", moment(clock, info.stop)),
    }
}

fn count(facts: &ProcessFacts) -> Option<String> {
    let starts = facts.record.as_ref()?.starts;
    match facts.state() {
        ProcessState::Backoff | ProcessState::Fatal if starts > 0 => {
            Some(format!("started {}", times(starts)))
        }
        _ if starts > 1 => Some(format!("restarted {}", times(starts - 1))),
        _ => None,
    }
}

fn current_state(facts: &ProcessFacts, clock: &LocalClock) -> Option<String> {
    let again = if facts.info.stop > 0 { " again" } else { "" };
    Some(match facts.state() {
        ProcessState::Running => format!("RUNNING{again} since {}", moment(clock, facts.info.start)),
        ProcessState::Starting => format!("STARTING{again}"),
        ProcessState::Stopping => "STOPPING now".to_owned(),
        ProcessState::Backoff => "will be tried again".to_owned(),
        ProcessState::Fatal => "supervisord has given up".to_owned(),
        ProcessState::Exited | ProcessState::Stopped if facts.info.start == 0 => return None,
        ProcessState::Exited | ProcessState::Stopped => {
            format!("{} since {}", facts.state(), moment(clock, facts.info.stop))
        }
        ProcessState::Unknown => "supervisord has lost hold of it".to_owned(),
    })
}

fn now_line(facts: &ProcessFacts, clock: &LocalClock, terminal: TerminalInfo) -> String {
    let info = &facts.info;
    let expectation = match facts.exit().map(Expectation::of) {
        Some(Expectation::Requested | Expectation::Expected) => ExitExpectation::Expected,
        Some(Expectation::Unexpected) => ExitExpectation::Unexpected,
        None => ExitExpectation::of_status(info.exitstatus),
    };
    let word = style::state(info.process_state(), expectation, terminal);
    if info.pid == 0 {
        return word;
    }
    let up = whole_span(info.now.saturating_sub(info.start));
    format!("{word}, pid {}, since {} ({up})", info.pid, moment(clock, info.start))
}

/// The words for an OOM kill that may have hit another process.
const OOM_NEARBY: &str = "a process of its control group was killed for want of memory";

fn last_exit_line(end: &ExitInfo, clock: &LocalClock) -> String {
    let (cause, expectation) = (ReportedCause::of(end), Expectation::of(end));
    let words = match cause {
        ReportedCause::OutOfMemory { .. } => {
            format!("{}: the kernel killed it for want of memory", end.description)
        }
        ReportedCause::NotStarted { reason } => format!("{reason} (before the program ran)"),
        ReportedCause::Recycled { violation } => {
            format!("{}, because it {violation}: supervisord stopped it to start it again", end.description)
        }
        ReportedCause::Killed { .. } if expectation == Expectation::Unexpected && end.by.is_none() => {
            format!("{}, which supervisord did not send", end.description)
        }
        ReportedCause::Killed { .. } | ReportedCause::Exited { .. } => end.description.clone(),
    };
    let expectation = match (cause, expectation) {
        (_, Expectation::Requested) => ", as it was told",
        (ReportedCause::Exited { .. }, Expectation::Expected) => ", as expected",
        (ReportedCause::Exited { .. }, Expectation::Unexpected) => ", not expected",
        (_, Expectation::Expected | Expectation::Unexpected) => "",
    };
    let near = match end.oom_near() {
        Some((from, to)) if from == to => format!("; {OOM_NEARBY} at {}", moment(clock, to)),
        Some((from, to)) => {
            format!("; {OOM_NEARBY} between {} and {}", moment(clock, from), moment(clock, to))
        }
        None => String::new(),
    };
    format!("{}, pid {}: {words}{expectation}{near}", moment(clock, end.ended_at), end.pid)
}

/// What supervisord will do next.
pub(super) fn next(facts: &ProcessFacts) -> &'static str {
    let will_restart = facts.record.as_ref().is_some_and(|record| record.will_restart);
    match facts.state() {
        ProcessState::Running => "nothing: it runs",
        ProcessState::Starting => "it counts as RUNNING when it has been up for its startsecs",
        ProcessState::Stopping => "it gets SIGKILL when its stopwaitsecs are over",
        ProcessState::Backoff => "supervisord tries again in a moment",
        ProcessState::Fatal => "nothing: supervisord has given up, until somebody starts it",
        ProcessState::Exited | ProcessState::Stopped if will_restart => {
            "supervisord starts it again in a moment"
        }
        ProcessState::Exited | ProcessState::Stopped => "nothing: it stays down until somebody starts it",
        ProcessState::Unknown => "nothing: supervisord could not send it a signal",
    }
}

fn times(count: u64) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// A duration; below a second in milliseconds.
fn span(seconds: f64) -> String {
    if seconds < 0.9995 { format!("{:.0} ms", seconds * 1000.0) } else { local_time::span(seconds) }
}

/// A duration known in whole seconds.
fn whole_span(seconds: i64) -> String {
    match i32::try_from(seconds.max(0)).unwrap_or(i32::MAX) {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => local_time::span(f64::from(seconds)),
    }
}

/// A local time, with the date unless it is today.
fn moment(clock: &LocalClock, seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let at = clock.local(SystemTime::UNIX_EPOCH.checked_add(seconds).unwrap_or(SystemTime::UNIX_EPOCH));
    let is_today = at.date() == clock.local(SystemTime::now()).date();
    at.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_rpc::ProcessInfo;
    use ironlance_rpc::api::ProcessExitInfo;

    const PIPE: TerminalInfo = TerminalInfo { columns: 80, colour: false, is_terminal: false };

    fn now() -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap()
    }

    fn info(state: ProcessState) -> ProcessInfo {
        ProcessInfo {
            name: "worker".into(),
            group: "shop".into(),
            state: state.code(),
            start: now() - 60,
            stop: now() - 62,
            now: now(),
            ..ProcessInfo::default()
        }
    }

    fn facts(state: ProcessState, starts: u64, last: Option<ExitInfo>) -> ProcessFacts {
        let record = Some(ProcessExitInfo { starts, last, ..ProcessExitInfo::default() });
        let (stdout, stderr) = (String::new(), String::new());
        ProcessFacts { info: info(state), record, stdout, stderr, listener: None }
    }

    #[test]
    fn what_is_down_for_a_moment_only_is_not_said_to_stay_down() {
        let mut stays =
            facts(ProcessState::Exited, 3, end(ReportedCause::Exited { status: 1 }, Expectation::Unexpected));
        assert_eq!(next(&stays), "nothing: it stays down until somebody starts it");
        stays.record.as_mut().unwrap().will_restart = true;
        assert_eq!(next(&stays), "supervisord starts it again in a moment");
    }

    fn end(how: ReportedCause<'_>, expectation: Expectation) -> Option<ExitInfo> {
        let mut exit = ExitInfo {
            pid: 7,
            uptime: 11_520.0,
            ended_at: now() - 62,
            description: "terminated by SIGKILL".into(),
            expected: expectation == Expectation::Expected,
            requested: expectation == Expectation::Requested,
            ..ExitInfo::default()
        };
        match how {
            ReportedCause::Exited { status } => exit.status = status,
            ReportedCause::Killed { signal, core } => {
                (exit.signal_name, exit.core) = (Some(signal.into()), core);
            }
            ReportedCause::OutOfMemory { signal } => {
                (exit.signal_name, exit.oom_kill) = (Some(signal.into()), true);
            }
            ReportedCause::NotStarted { reason } => exit.not_started = Some(reason.into()),
            ReportedCause::Recycled { violation } => exit.recycled = Some(violation.into()),
        }
        Some(exit)
    }

    /// The headline without its time.
    fn said(facts: &ProcessFacts) -> String {
        let answer = headline(facts, &LocalClock::new());
        answer.split(" since ").next().unwrap().to_owned()
    }

    #[test]
    fn the_first_line_is_the_answer() {
        let killed = ReportedCause::OutOfMemory { signal: "SIGKILL" };
        let facts = facts(ProcessState::Running, 5, end(killed, Expectation::Unexpected));
        assert_eq!(
            said(&facts),
            "shop:worker: killed by SIGKILL, out of memory, after 3 h 12 min; restarted 4 times; RUNNING again"
        );
    }

    #[test]
    fn each_kind_of_end_has_its_words() {
        let exited = |status| ReportedCause::Exited { status };
        let killed = |core| ReportedCause::Killed { signal: "SIGSEGV", core };
        let recycled = ReportedCause::Recycled { violation: "closed its stdout" };
        let not_started = ReportedCause::NotStarted { reason: "couldn't chdir to /x: ENOENT" };
        for (how, expectation, words) in [
            (exited(3), Expectation::Unexpected, "ended with exit status 3 after 3 h 12 min"),
            (exited(0), Expectation::Expected, "ended as expected, with exit status 0, after 3 h 12 min"),
            (
                exited(0),
                Expectation::Requested,
                "stopped as it was told, with exit status 0, after 3 h 12 min",
            ),
            (killed(true), Expectation::Unexpected, "killed by SIGSEGV (core dumped) after 3 h 12 min"),
            (killed(false), Expectation::Requested, "stopped as it was told, with SIGSEGV, after 3 h 12 min"),
            (not_started, Expectation::Unexpected, "could not be started: couldn't chdir to /x: ENOENT"),
            (
                recycled,
                Expectation::Unexpected,
                "recycled by supervisord, because it closed its stdout, after 3 h 12 min",
            ),
        ] {
            let facts = facts(ProcessState::Exited, 1, end(how, expectation));
            assert_eq!(said(&facts), format!("shop:worker: {words}; EXITED"));
        }
    }

    #[test]
    fn who_stopped_it_is_told_and_who_may_have_been_killed_beside_it() {
        let killed = || ReportedCause::Killed { signal: "SIGTERM", core: false };
        let of = |expectation, by: Option<&str>, near| {
            let (oom_near_from, oom_near_to) = near;
            let end = end(killed(), expectation).map(|end| ExitInfo {
                by: by.map(str::to_owned),
                oom_near_from,
                oom_near_to,
                ..end
            });
            facts(ProcessState::Stopped, 1, end)
        };
        let memmon = Some("memmon, a process of this supervisord");
        assert_eq!(
            said(&of(Expectation::Requested, memmon, (0, 0))),
            "shop:worker: stopped by memmon, a process of this supervisord, with SIGTERM, after 3 h 12 min; STOPPED"
        );
        let sent = of(Expectation::Unexpected, Some("supervisorctl (pid 7, root)"), (0, 0));
        assert_eq!(
            said(&sent),
            "shop:worker: killed by SIGTERM, which supervisorctl (pid 7, root) sent, after 3 h 12 min; STOPPED"
        );
        let line = |facts: &ProcessFacts, label: &str| {
            let lines = screen(facts, &LocalClock::new(), PIPE);
            lines.into_iter().find(|line| line.trim_start().starts_with(label)).unwrap()
        };
        assert!(!line(&sent, "last end").contains("did not send"));
        assert_eq!(line(&sent, "by"), "  by         supervisorctl (pid 7, root)");
        let recycled_by = ReportedCause::Recycled { violation: "closed its stdout" };
        let recycled = end(recycled_by, Expectation::Unexpected)
            .map(|end| ExitInfo { by: Some("supervisord".into()), ..end });
        let lines = screen(&facts(ProcessState::Running, 2, recycled), &LocalClock::new(), PIPE);
        assert!(!lines.iter().any(|line| line.starts_with("  by ")), "it is said already: {lines:?}");
        let near = of(Expectation::Unexpected, None, (now() - 3600, now() - 62));
        let line = line(&near, "last end");
        assert!(
            line.contains("which supervisord did not send; a process of its control group was killed"),
            "{line}"
        );
        assert!(line.contains(" between ") && !line.contains("the kernel killed it"), "{line}");
    }

    #[test]
    fn who_never_ended_is_told_as_such() {
        let mut up = facts(ProcessState::Running, 1, None);
        up.info.stop = 0;
        let told = headline(&up, &LocalClock::new());
        let never = "shop:worker: has not ended since supervisord started; RUNNING since ";
        assert!(told.starts_with(never), "{told}");
        let mut down = facts(ProcessState::Stopped, 0, None);
        (down.info.start, down.info.stop) = (0, 0);
        assert_eq!(said(&down), "shop:worker: has never been started");
    }

    #[test]
    fn a_program_that_is_not_there_is_the_answer_and_not_its_end_before() {
        let mut facts =
            facts(ProcessState::Fatal, 3, end(ReportedCause::Exited { status: 1 }, Expectation::Unexpected));
        facts.info.spawnerr = "can't find command '/x'".into();
        assert_eq!(
            said(&facts),
            "shop:worker: cannot be started: can't find command '/x'; started 3 times; supervisord has given up"
        );
        facts.info.spawnerr = "Exited too quickly (process log may have details)".into();
        assert_eq!(
            said(&facts),
            "shop:worker: ended with exit status 1 after 3 h 12 min, too quickly; started 3 times; supervisord has \
             given up"
        );
    }

    #[test]
    fn the_original_is_taken_at_its_word_and_no_more() {
        let slight = |state, exitstatus| {
            let info = ProcessInfo { exitstatus, ..info(state) };
            let info = ProcessInfo { start: info.stop - 12, ..info };
            let stderr = "oh\u{7}".to_owned();
            ProcessFacts { info, record: None, stdout: String::new(), stderr, listener: None }
        };
        let exited = slight(ProcessState::Exited, 3);
        assert_eq!(said(&exited), "shop:worker: ended with exit status 3 after 12 s; EXITED");
        let by_signal = slight(ProcessState::Exited, -1);
        assert_eq!(said(&by_signal), "shop:worker: ended by a signal after 12 s; EXITED");
        assert!(said(&slight(ProcessState::Running, 0)).starts_with("shop:worker: last ended at "));
        let lines = screen(&exited, &LocalClock::new(), PIPE);
        assert!(lines.contains(&"  | oh\\x07".to_owned()), "{lines:?}");
    }

    #[test]
    fn on_a_terminal_reasons_are_wrapped_and_only_what_the_program_wrote_is_cut() {
        let mut facts = facts(
            ProcessState::Running,
            2,
            end(ReportedCause::Exited { status: 1 }, Expectation::Unexpected),
        );
        facts.stdout = "x".repeat(200);
        facts.listener = Some(vec!["said a word too many ".repeat(9), "the end".to_owned()]);
        let terminal = TerminalInfo { columns: 60, colour: false, is_terminal: true };
        let lines = screen(&facts, &LocalClock::new(), terminal);
        assert!(lines.iter().all(|line| style::width(line) <= 60), "{lines:?}");
        let cut: Vec<&String> = lines.iter().filter(|line| line.ends_with('…')).collect();
        assert_eq!(cut, [&format!("  | {}…", "x".repeat(55))]);
        assert!(lines.iter().any(|line| line.starts_with("             ") && line.ends_with("the end")));
        let whole = screen(&facts, &LocalClock::new(), PIPE);
        assert!(whole.iter().any(|line| line.ends_with(&facts.stdout)));
    }

    #[test]
    fn what_is_wrong_with_a_listener_is_told_too() {
        let mut facts = facts(ProcessState::Running, 1, None);
        let says = |facts: &ProcessFacts| {
            let lines = screen(facts, &LocalClock::new(), PIPE);
            lines.into_iter().find(|line| line.starts_with("  listener"))
        };
        assert_eq!(says(&facts), None);
        facts.listener = Some(Vec::new());
        assert_eq!(says(&facts), None);
        facts.listener = Some(vec!["has not said READY".to_owned(), "2 events waiting".to_owned()]);
        assert_eq!(says(&facts).unwrap(), "  listener   ! has not said READY; 2 events waiting");
    }

    #[test]
    fn short_spans_are_told_in_milliseconds() {
        assert_eq!(span(0.002_24), "2 ms");
        assert_eq!(span(0.9996), "1.0 s");
    }
}
