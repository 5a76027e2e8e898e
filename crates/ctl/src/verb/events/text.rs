//! An event as one line of text: time, type, process, details, reason.

use std::time::{Duration, SystemTime};

use ironlance_core::event::json::EventJson;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::{Event, StateChange, StateDetail, wire};
use ironlance_core::{Namespec, ProcessState};
use ironlance_host::local_time::{self, LocalClock};

use crate::output::buffer::TerminalInfo;
use crate::output::style::{self, ExitExpectation};

/// The most characters of an output or message; `--json` has all of it.
const MOST_TEXT: usize = 400;
/// The last second of the year 9999; later times are not valid.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Less than a millisecond, and more than the rounding error of such a float.
const NEAR: Duration = Duration::from_micros(100);

/// The line of an event, with control characters escaped. Data that are not an event are shown after `kind`.
pub(crate) fn line(kind: &str, data: &str, clock: &LocalClock, terminal: TerminalInfo) -> String {
    let Ok(json) = serde_json::from_str::<EventJson<'_>>(data) else {
        return format!("{} {}", style::escape_controls(kind), text(data));
    };
    let name = if json.event.is_empty() { kind } else { &json.event };
    let event = EventKind::from_name(name).and_then(|kind| wire::decode(kind, &json.body).ok());
    let who = match (&json.group, &json.process) {
        (Some(group), Some(process)) => Namespec::new(&**group, &**process).to_string(),
        _ => String::new(),
    };
    let facts = event.as_ref().map_or_else(|| text(&json.body), |event| facts(event, &json.body));
    let why = json.why.as_deref().map(style::escape_controls).unwrap_or_default();
    let details = join([facts, why], "; ");
    let time = local_time::log_time(&clock.local(moment(json.at)));
    let kind = coloured(name, event.as_ref(), terminal);
    join([time, kind, join([style::escape_controls(&who), details], ": ")], " ")
}

/// The parts that are not empty.
fn join<const N: usize>(parts: [String; N], separator: &str) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(separator)
}

fn moment(seconds: f64) -> SystemTime {
    let seconds = if seconds.is_finite() { seconds.clamp(0.0, LAST_SECOND) } else { 0.0 };
    // The time is in whole milliseconds, which a float only approximates.
    SystemTime::UNIX_EPOCH + Duration::from_secs_f64((seconds * 1000.0).round() / 1000.0) + NEAR
}

/// The event type, with the state coloured as in `status`.
fn coloured(name: &str, event: Option<&Event>, terminal: TerminalInfo) -> String {
    let expectation = match event {
        Some(Event::State(change)) if change.detail.is_expected_exit() => ExitExpectation::Expected,
        _ => ExitExpectation::Unexpected,
    };
    let plain = style::escape_controls(name);
    match plain.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name) {
        Some(state) => format!("PROCESS_STATE_{}", style::state(state, expectation, terminal)),
        None => plain,
    }
}

/// The details of an event.
fn facts(event: &Event, body: &str) -> String {
    match event {
        Event::State(change) => state_facts(change),
        Event::Log(_, output) | Event::Communication(_, output) => text(&output.text),
        Event::GroupAdded(group) | Event::GroupRemoved(group) => text(&group.0),
        Event::Remote(message) => join([text(&message.kind), text(&message.data)], ": "),
        Event::Tick { .. } | Event::SupervisorRunning | Event::SupervisorStopping => text(body),
    }
}

/// `from STARTING, pid 7`, and details of the new state.
fn state_facts(change: &StateChange) -> String {
    let from = change.from.map(|state| format!("from {state}"));
    let more = match change.detail {
        StateDetail::Exit { expected: true, .. } => Some("as expected".to_owned()),
        StateDetail::Exit { expected: false, .. } => Some("not expected".to_owned()),
        StateDetail::Tries(1) => Some("1 try failed".to_owned()),
        StateDetail::Tries(tries) if tries > 0 => Some(format!("{tries} tries failed")),
        StateDetail::Tries(_) | StateDetail::Pid(_) | StateDetail::Nothing => None,
    };
    let pid = change.detail.pid().filter(|pid| *pid != 0).map(|pid| format!("pid {pid}"));
    [from, more, pid].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Output or a message as one bounded line with control characters escaped, without its last newline.
fn text(raw: &str) -> String {
    let raw = raw.strip_suffix('\n').unwrap_or(raw);
    match raw.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", style::escape_controls(&raw[..end])),
        None => style::escape_controls(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIPE: TerminalInfo = TerminalInfo { columns: 80, colour: false, is_terminal: false };

    /// The line without its time.
    fn told(data: &serde_json::Value) -> String {
        let line = line("message", &data.to_string(), &LocalClock::new(), PIPE);
        line.splitn(3, ' ').nth(2).unwrap().to_owned()
    }

    #[test]
    fn an_end_says_who_and_why() {
        let data = serde_json::json!({"number": 1, "at": 1_763_899_980.25, "event": "PROCESS_STATE_EXITED",
            "group": "shop", "process": "web", "why": "terminated by SIGKILL",
            "body": "processname:web groupname:shop from_state:RUNNING expected:0 pid:2766"});
        assert_eq!(
            told(&data),
            "PROCESS_STATE_EXITED shop:web: from RUNNING, not expected, pid 2766; terminated by SIGKILL"
        );
        let line = line("message", &data.to_string(), &LocalClock::new(), PIPE);
        let moment = |at| local_time::log_time(&LocalClock::new().local(moment(at)));
        assert!(moment(1_795_451_540.495).ends_with(",495") && moment(0.0).ends_with(",000"));
        assert!(line[..24].ends_with(",250 ") && line.starts_with("2025-11-2"), "{line}");
    }

    #[test]
    fn each_kind_of_event_is_told_in_words() {
        let data = |event: &str, body: &str| serde_json::json!({"event": event, "body": body});
        let who = |event: &str, body: &str| serde_json::json!({"event": event, "body": body, "group": "web", "process": "web"});
        for (data, words) in [
            (
                who("PROCESS_STATE_BACKOFF", "processname:web groupname:web from_state:STARTING tries:2"),
                "PROCESS_STATE_BACKOFF web: from STARTING, 2 tries failed",
            ),
            (
                who("PROCESS_STATE_STARTING", "processname:web groupname:web from_state:STOPPED tries:0"),
                "PROCESS_STATE_STARTING web: from STOPPED",
            ),
            (
                who(
                    "PROCESS_LOG_STDOUT",
                    "processname:web groupname:web pid:7 channel:stdout\na\x1b[1m\nb\n",
                ),
                "PROCESS_LOG_STDOUT web: a\\x1b[1m\\nb",
            ),
            (data("REMOTE_COMMUNICATION", "type:deploy\nv 2"), "REMOTE_COMMUNICATION deploy: v 2"),
            (data("PROCESS_GROUP_ADDED", "groupname:cats\n"), "PROCESS_GROUP_ADDED cats"),
            (data("SUPERVISOR_STATE_CHANGE_STOPPING", ""), "SUPERVISOR_STATE_CHANGE_STOPPING"),
            (data("TICK_5", "when:1763899980"), "TICK_5 when:1763899980"),
            (data("SOMETHING_NEW", "a:b"), "SOMETHING_NEW a:b"),
        ] {
            assert_eq!(told(&data).trim_end(), words);
        }
    }

    #[test]
    fn data_that_are_no_event_are_shown_as_they_came() {
        assert_eq!(line("odd", "\u{7}{", &LocalClock::new(), PIPE), "odd \\x07{");
    }

    #[test]
    fn long_output_is_cut() {
        let body = format!("processname:a groupname:a pid:7 channel:stdout\n{}", "é".repeat(10_000));
        let data = serde_json::json!({"event": "PROCESS_LOG_STDOUT", "body": body});
        assert_eq!(told(&data).chars().count(), "PROCESS_LOG_STDOUT ".len() + MOST_TEXT + 1);
    }

    proptest! {
        #[test]
        fn any_data_make_one_harmless_line(kind in any::<String>(), data in any::<String>(), at in any::<f64>(),
                                           body in any::<String>(), event in "[A-Z_]{0,24}") {
            let whole = serde_json::json!({"at": at, "event": event, "body": body, "why": data, "group": kind,
                "process": kind}).to_string();
            for data in [&data, &whole] {
                let line = line(&kind, data, &LocalClock::new(), PIPE);
                prop_assert!(!line.chars().any(char::is_control), "{}", line);
            }
        }
    }
}
