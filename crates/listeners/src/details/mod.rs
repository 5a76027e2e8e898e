//! The Details of an alert: why it happened, as far as supervisord can say. [`gather`] asks it and renders the lines.

mod last_exit;

use std::time::Duration;

use ironlance_alert::notification::{OutputTail, ProcessDetails};
use ironlance_core::text::ansi;
use ironlance_core::{Namespec, ProcessState};
use ironlance_host::local_time;
use ironlance_host::main_log::{self, ProcessHistory};
use ironlance_rpc::api::ProcessExitInfo;
use ironlance_rpc::{Client, ProcessInfo, Record, Value};

/// Time limit for supervisord's answer; without an answer the details are left out.
const TIMEOUT: Duration = Duration::from_millis(500);
/// Bytes of the main log that are read: the last few hundred lines.
const MAIN_LOG_TAIL: i64 = 64 * 1024;
/// Bytes of a program's log that are read to find its last lines.
const LOG_TAIL: i64 = 16 * 1024;
/// Last lines of each stream of a program that an alert shows.
const LAST_LINES: usize = 20;
/// A line longer than this, in characters, is cut: a mail line has its limits (RFC 5322, 2.1.1).
const LONGEST_LINE: usize = 400;

/// Where an alert comes from.
#[derive(Clone, Debug)]
pub(crate) struct DetailsContext<'a> {
    /// This host's name.
    pub host: &'a str,
    /// The supervisor's identifier, empty when unknown.
    pub supervisor: &'a str,
}

/// Asks supervisord about a process and renders the answers, a line for each fact.
///
/// `pid` is the id of the process that the alert is about, if the event has it. Facts that cannot be had are left out.
pub(crate) fn gather(
    supervisor: Option<&Client>,
    context: &DetailsContext<'_>,
    namespec: &Namespec,
    pid: Option<&str>,
) -> ProcessDetails {
    let answers = supervisor.map(|supervisor| ask(supervisor, namespec)).unwrap_or_default();
    let history =
        answers.main_log.map(|log| main_log::read(&log, &namespec.process.0, pid)).unwrap_or_default();
    let mut details = ProcessDetails::default();
    details.fact("host", context.host);
    if !context.supervisor.is_empty() {
        details.fact("supervisor", context.supervisor);
    }
    details.fact("program", &namespec.to_string());
    if let Some(pid) = pid {
        details.fact("pid", pid);
    }
    let (mut stderr, mut stdout) = (answers.stderr, answers.stdout);
    let process = answers.exit.unwrap_or_default();
    match last_exit::matching(&process, pid) {
        Some(exit) => {
            last_exit::add_to(&mut details, &exit, process.starts);
            // The logs may have grown since the exit.
            (stderr, stdout) = (Some(exit.stderr_tail), Some(exit.stdout_tail));
        }
        None => {
            add_end(&mut details, &history, answers.info.as_ref(), pid);
            add_starts(&mut details, &history);
        }
    }
    if let Some(info) = &answers.info {
        add_state(&mut details, info);
    }
    for (stream, log) in [("stderr", stderr), ("stdout", stdout)] {
        let lines = last_lines(&log.unwrap_or_default());
        if !lines.is_empty() {
            details.tails.push(OutputTail { stream: stream.to_owned(), lines });
        }
    }
    details
}

#[derive(Default)]
struct Replies {
    info: Option<ProcessInfo>,
    stderr: Option<String>,
    stdout: Option<String>,
    main_log: Option<String>,
    /// How it last ended, from ironlance's supervisord alone.
    exit: Option<ProcessExitInfo>,
}

fn ask(supervisor: &Client, namespec: &Namespec) -> Replies {
    let name = || Value::Str(namespec.qualified());
    let tail = |bytes: i64| [Value::Int(-bytes), Value::Int(0)];
    let log = |method| (method, [vec![name()], tail(LOG_TAIL).to_vec()].concat());
    let calls = [
        log("supervisor.readProcessStderrLog"),
        log("supervisor.readProcessStdoutLog"),
        ("supervisor.readLog", tail(MAIN_LOG_TAIL).to_vec()),
        ("supervisor.getProcessInfo", vec![name()]),
        ("ironlance.getProcessEnd", vec![name()]),
    ];
    let Ok(answers) = supervisor.multicall(&calls, Some(TIMEOUT)) else {
        return Replies::default();
    };
    let mut answers = answers.into_iter();
    let mut text = |method: &str| match answers.next() {
        Some(Ok(Value::Str(text))) => Some(text),
        // Python's supervisord fails when a tail begins in the middle of a character: begin a little later.
        Some(Err(fault)) if fault.string.contains("utf") => later_tail(supervisor, method, name()),
        _ => None,
    };
    let stderr = text("supervisor.readProcessStderrLog");
    let stdout = text("supervisor.readProcessStdoutLog");
    let main_log = text("supervisor.readLog");
    let info = answers.next().and_then(Result::ok).and_then(|value| ProcessInfo::from_value(value).ok());
    let exit = answers.next().and_then(Result::ok).and_then(|value| ProcessExitInfo::from_value(value).ok());
    Replies { info, stderr, stdout, main_log, exit }
}

/// The tail of a log from one, two or three bytes later on, whichever begins a character.
fn later_tail(supervisor: &Client, method: &str, name: Value) -> Option<String> {
    let own = (method != "supervisor.readLog").then_some(name);
    let whole = if own.is_some() { LOG_TAIL } else { MAIN_LOG_TAIL };
    let call = |later: i64| {
        let params = own.iter().cloned().chain([Value::Int(later - whole), Value::Int(0)]);
        (method, params.collect::<Vec<_>>())
    };
    let answers = supervisor.multicall(&[call(1), call(2), call(3)], Some(TIMEOUT)).ok()?;
    answers.into_iter().find_map(|answer| match answer {
        Ok(Value::Str(text)) => Some(text),
        _ => None,
    })
}

/// How the process ended and how long it ran: from the log, or else from supervisord's state of a process that it has
/// not restarted since.
fn add_end(
    details: &mut ProcessDetails,
    history: &ProcessHistory,
    info: Option<&ProcessInfo>,
    pid: Option<&str>,
) {
    let remembered = info.filter(|info| info.pid == 0 && info.start <= info.stop);
    let ended = history.ended.clone().or_else(|| {
        let exited = remembered.filter(|info| info.state == ProcessState::Exited.code());
        exited.map(|info| format!("exit status {}", info.exitstatus))
    });
    if let Some(ended) = ended {
        details.fact("ended", &ended);
    }
    let spawnerr = info.map(|info| info.spawnerr.as_str()).filter(|error| pid.is_none() && !error.is_empty());
    if let Some(error) = spawnerr {
        details.fact("start error", error);
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let ran_for = history.ran_for.or(remembered.map(|info| (info.stop - info.start) as f64));
    if let Some(seconds) = ran_for {
        details.fact("ran for", &local_time::span(seconds));
    }
}

fn add_starts(details: &mut ProcessDetails, history: &ProcessHistory) {
    if let Some(since) = history.since.as_deref().filter(|_| history.starts > 0) {
        let times = if history.starts == 1 { "time" } else { "times" };
        details.fact("started", &format!("{} {times} since {since}", history.starts));
    }
}

fn add_state(details: &mut ProcessDetails, info: &ProcessInfo) {
    if let Some(state) = ProcessState::from_code(info.state) {
        details.fact("state", format!("{state} {}", info.description).trim_end());
    }
}

fn last_lines(log: &str) -> Vec<String> {
    let log = ansi::without_sequences(log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let start = lines.len().saturating_sub(LAST_LINES);
    lines[start..]
        .iter()
        .map(|line| match line.char_indices().nth(LONGEST_LINE) {
            Some((end, _)) => format!("{} [cut]", &line[..end]),
            None => (*line).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_alert::render::wording;

    #[test]
    fn without_a_supervisor_the_scene_alone_is_told() {
        let context = DetailsContext { host: "web1", supervisor: "supervisor" };
        assert_eq!(
            wording::details(&[gather(None, &context, &Namespec::new("shop", "web"), Some("7"))]).unwrap(),
            "host:        web1\nsupervisor:  supervisor\nprogram:     shop:web\npid:         7"
        );
    }

    #[test]
    fn colours_are_left_out() {
        assert_eq!(ansi::without_sequences("\u{241b}[1;31mred\u{241b}[0m"), "red");
        assert_eq!(ansi::without_sequences("\x1b[1;31mred\x1b[0m and\x1b[K plain\x1b["), "red and plain");
    }

    #[test]
    fn the_last_twenty_lines_are_kept_and_long_ones_cut() {
        let log: String = (0..30).map(|n| format!("line {n}\n\n")).collect();
        let last = last_lines(&log);
        assert_eq!((last.len(), last[0].as_str(), last[19].as_str()), (20, "line 10", "line 29"));
        let long = last_lines(&"é".repeat(1000));
        assert_eq!(long[0].chars().count(), LONGEST_LINE + " [cut]".len());
    }
}
