//! `history [NAME…]`: what the daemon's journal has, one line a record; or as JSON.

use std::time::{Duration, SystemTime};

use ironlance_core::{Namespec, ProcessState};
use ironlance_host::local_time::{self, LocalClock};
use ironlance_rpc::api::HistoryRecord;
use ironlance_rpc::{FaultKind, Record, Value};
use serde::Serialize;

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};
use crate::output::style::{self, ExitExpectation};
use crate::session::{Session, call_extension, exit_status};
use crate::verb::api::{Completion, Verb, refuse};

pub(crate) const VERB: Verb = Verb {
    name: "history",
    help: &[
        "history\t\t\tShow the last 50 records of supervisord's journal: what happened, when and why",
        "history <name> <name>\tThe same for some processes; groups and patterns such as web* work too",
        "-<n>\t\t\tThe last <n> records, such as history -500 web",
        "--json\t\t\tThe same as JSON, for scripts",
    ],
    completes: Completion::Processes,
    run,
    ..Verb::OURS
};

const METHOD: &str = "ironlance.getHistory";
/// The records without an option.
const DEFAULT: usize = 50;
/// The most records that are asked for at once; the daemon gives no more.
const PAGE: usize = 500;
/// The most records.
const MOST: usize = 100_000;
/// The most characters of a message's data on a line; `--json` has all of it.
const MOST_DATA: usize = 200;

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
struct Query<'a> {
    names: Vec<&'a str>,
    limit: usize,
}

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let mut arguments = words(rest);
    let form = json::take_json_option(&mut arguments);
    let query = match parse(&arguments) {
        Ok(query) => query,
        Err(line) => {
            refuse(session, &VERB, exit_status::INVALID_ARGS, &line);
            return Ok(());
        }
    };
    if !session.check_server()? {
        return Ok(());
    }
    let records = match fetch(session, &query) {
        Ok(Some(records)) => records,
        Ok(None) => {
            let line = "This supervisord has no history; ironlance's has. See: why";
            session.fail(exit_status::UNIMPLEMENTED_FEATURE, line);
            return Ok(());
        }
        Err(error) if error.is_fault(FaultKind::NoFile) => {
            let line = "This supervisord keeps no history: its configuration has no [alert:x] and no [watch] section";
            session.fail(exit_status::GENERIC, line);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let lines = match form {
        OutputFormat::Json => json::lines(&records.iter().map(RecordObject::new).collect::<Vec<_>>()),
        OutputFormat::Text => {
            let (clock, terminal) = (LocalClock::new(), session.terminal());
            records.iter().map(|record| line(record, &clock, terminal)).collect()
        }
    };
    lines.iter().for_each(|line| session.print(line));
    if lines.is_empty() {
        session.print("No record of that.");
    }
    Ok(())
}

fn parse<'a>(arguments: &[&'a str]) -> Result<Query<'a>, String> {
    let mut query = Query { names: Vec::new(), limit: DEFAULT };
    for argument in arguments {
        match argument.strip_prefix('-') {
            None if *argument == "all" => {}
            None => query.names.push(argument),
            Some(number) => {
                let limit = number.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                let unknown = || format!("Error: history has no option {}", style::escape_controls(argument));
                query.limit = limit.ok_or_else(unknown)?;
            }
        }
    }
    Ok(query)
}

/// The records, the oldest first; `None` from a supervisord without this method.
fn fetch(session: &mut Session, query: &Query<'_>) -> Result<Option<Vec<HistoryRecord>>, CtlError> {
    let names = Value::Array(query.names.iter().map(|name| Value::from(*name)).collect());
    let (mut pages, mut left, mut before) = (Vec::new(), query.limit, 0);
    while left > 0 {
        let asked = left.min(PAGE);
        let limit = Value::Int(i64::try_from(asked).unwrap_or(i64::MAX));
        let params = [names.clone(), limit, Value::Int(before)];
        let page = call_extension(&mut session.caller(), METHOD, &params, HistoryRecord::list_from_value)?;
        let Some(page) = page else { return Ok(None) };
        let is_last = page.len() < asked;
        left -= page.len().min(left);
        before = page.first().map_or(0, |record| i64::try_from(record.number).unwrap_or(0));
        pages.push(page);
        if is_last || before <= 1 {
            break;
        }
    }
    Ok(Some(pages.into_iter().rev().flatten().collect()))
}

/// A record in `history --json`. What it does not say is `null`.
#[derive(Debug, Serialize)]
struct RecordObject<'a> {
    number: u64,
    /// Seconds since 1970.
    at: f64,
    boot: &'a str,
    serial: Option<u64>,
    event: &'a str,
    group: Option<&'a str>,
    process: Option<&'a str>,
    from: Option<&'a str>,
    pid: Option<u64>,
    /// `null` where it is no exit.
    expected: Option<bool>,
    restarts: Option<bool>,
    tries: Option<u64>,
    why: Option<&'a str>,
    status: Option<u64>,
    signal: Option<&'a str>,
    core: bool,
    oom: bool,
    by: Option<&'a str>,
    /// Seconds.
    uptime: Option<f64>,
    ends: Option<u64>,
    stdout_tail: &'a str,
    stderr_tail: &'a str,
    kind: Option<&'a str>,
    data: Option<&'a str>,
    lost: Option<u64>,
}

impl<'a> RecordObject<'a> {
    fn new(record: &'a HistoryRecord) -> Self {
        let text = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        let count = |number: u64| Some(number).filter(|number| *number > 0);
        let is_exit = record.event == "PROCESS_STATE_EXITED";
        Self {
            number: record.number,
            at: record.at,
            boot: &record.boot,
            serial: record.serial,
            event: &record.event,
            group: text(&record.group),
            process: text(&record.process),
            from: text(&record.from),
            pid: count(record.pid),
            expected: is_exit.then_some(record.expected),
            restarts: is_exit.then_some(record.restarts),
            tries: count(record.tries),
            why: text(&record.why),
            status: record.status,
            signal: text(&record.signal),
            core: record.core,
            oom: record.oom,
            by: text(&record.by),
            uptime: (record.ends > 0).then_some(record.uptime),
            ends: count(record.ends),
            stdout_tail: &record.stdout_tail,
            stderr_tail: &record.stderr_tail,
            kind: text(&record.kind),
            data: text(&record.data),
            lost: count(record.lost),
        }
    }
}

/// `2026-11-30 09:48:11,459 web EXITED: terminated by SIGKILL, out of memory, after 2 min 3 s, starts again`.
fn line(record: &HistoryRecord, clock: &LocalClock, terminal: TerminalInfo) -> String {
    let at = local_time::log_time(&clock.local(moment(record.at)));
    let who = match (record.group.as_str(), record.process.as_str()) {
        ("", _) => "supervisord".to_owned(),
        (group, "") => format!("{group}:*"),
        (group, process) => Namespec::new(group, process).to_string(),
    };
    let words = facts(record).join(", ");
    let colon = if words.is_empty() { "" } else { ": " };
    let what = what(record, terminal);
    format!("{at} {} {what}{colon}{}", style::escape_controls(&who), style::escape_controls(&words))
}

fn moment(seconds: f64) -> SystemTime {
    let milliseconds = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_micros().div_ceil(1000);
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The event in short: the state, coloured as in `status`, or its type.
fn what(record: &HistoryRecord, terminal: TerminalInfo) -> String {
    let state = record.event.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name);
    let expectation = if record.expected { ExitExpectation::Expected } else { ExitExpectation::Unexpected };
    match state {
        Some(state) => style::state(state, expectation, terminal).to_string(),
        None => style::escape_controls(&record.event),
    }
}

fn facts(record: &HistoryRecord) -> Vec<String> {
    let mut facts = Vec::new();
    let mut add = |is_so: bool, words: String| {
        if is_so {
            facts.push(words);
        }
    };
    let is_exit = record.event == "PROCESS_STATE_EXITED";
    add(!record.why.is_empty(), record.why.clone());
    add(record.oom, "out of memory".to_owned());
    add(record.core, "core dumped".to_owned());
    add(is_exit && record.expected, "as expected".to_owned());
    add(record.ends > 0, format!("after {}", local_time::span(record.uptime)));
    add(!record.by.is_empty(), format!("asked for by {}", record.by));
    add(record.tries == 1, "1 try failed".to_owned());
    add(record.tries > 1, format!("{} tries failed", record.tries));
    add(record.restarts, "starts again".to_owned());
    add(record.pid > 0 && !is_exit, format!("pid {}", record.pid));
    add(!record.kind.is_empty(), kind_in_words(record));
    add(record.lost == 1, "1 event was lost".to_owned());
    add(record.lost > 1, format!("{} events were lost", record.lost));
    let data: String = record.data.chars().take(MOST_DATA).collect();
    add(!data.is_empty() && record.event != "START", data);
    facts
}

fn kind_in_words(record: &HistoryRecord) -> String {
    match (record.event.as_str(), record.kind.as_str()) {
        ("START", "killed") => "the run before was killed".to_owned(),
        ("START", "clean") => "the run before ended in good order".to_owned(),
        ("START", "none") => "the journal begins".to_owned(),
        ("POOL", "overflow") => "its buffer was full".to_owned(),
        ("POOL", "broken") => "a listener broke the protocol or gave up".to_owned(),
        ("POOL", "well") => "it answers again".to_owned(),
        (_, kind) => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIPE: TerminalInfo = TerminalInfo { columns: 80, colour: false, is_terminal: false };

    /// The line without its time.
    fn told(record: &HistoryRecord) -> String {
        line(record, &LocalClock::new(), PIPE).splitn(3, ' ').nth(2).unwrap().to_owned()
    }

    fn process(event: &str) -> HistoryRecord {
        HistoryRecord {
            event: event.into(),
            group: "shop".into(),
            process: "web".into(),
            ..HistoryRecord::default()
        }
    }

    #[test]
    fn each_record_is_a_line_that_says_what_and_why() {
        let other = |event: &str, kind: &str| HistoryRecord {
            event: event.into(),
            kind: kind.into(),
            ..HistoryRecord::default()
        };
        let killed = HistoryRecord {
            why: "terminated by SIGKILL".into(),
            oom: true,
            ends: 2,
            uptime: 123.0,
            restarts: true,
            pid: 7,
            ..process("PROCESS_STATE_EXITED")
        };
        let stopped = HistoryRecord {
            why: "terminated by SIGTERM".into(),
            ends: 1,
            uptime: 5.0,
            by: "SIGTERM to supervisord".into(),
            ..process("PROCESS_STATE_STOPPED")
        };
        let pool = HistoryRecord { group: "mail".into(), lost: 3, ..other("POOL", "overflow") };
        let message = HistoryRecord {
            data: "{\"a\":1}\u{1b}".into(),
            ..other("REMOTE_COMMUNICATION", "ironlance.ack")
        };
        let group = HistoryRecord { group: "shop".into(), ..other("PROCESS_GROUP_ADDED", "") };
        let failed = HistoryRecord { tries: 2, why: "no file".into(), ..process("PROCESS_STATE_BACKOFF") };
        for (record, words) in [
            (killed, "shop:web EXITED: terminated by SIGKILL, out of memory, after 2 min 3 s, starts again"),
            (
                stopped,
                "shop:web STOPPED: terminated by SIGTERM, after 5.0 s, asked for by SIGTERM to supervisord",
            ),
            (HistoryRecord { pid: 7, ..process("PROCESS_STATE_RUNNING") }, "shop:web RUNNING: pid 7"),
            (failed, "shop:web BACKOFF: no file, 2 tries failed"),
            (pool, "mail:* POOL: its buffer was full, 3 events were lost"),
            (message, "supervisord REMOTE_COMMUNICATION: ironlance.ack, {\"a\":1}\\x1b"),
            (group, "shop:* PROCESS_GROUP_ADDED"),
            (other("START", "killed"), "supervisord START: the run before was killed"),
            (HistoryRecord { why: "shutdown".into(), ..other("STOP", "") }, "supervisord STOP: shutdown"),
        ] {
            assert_eq!(told(&record), words);
        }
        let at = HistoryRecord { at: 1_763_899_980.25, ..process("PROCESS_STATE_RUNNING") };
        assert!(line(&at, &LocalClock::new(), PIPE).split(' ').nth(1).unwrap().ends_with(",250"));
    }

    #[test]
    fn arguments_are_names_and_one_number() {
        let query = |names: &[&'static str], limit| Ok(Query { names: names.to_vec(), limit });
        assert_eq!(parse(&[]), query(&[], DEFAULT));
        assert_eq!(parse(&["web*", "-500", "shop:*"]), query(&["web*", "shop:*"], 500));
        assert_eq!(parse(&["all"]), query(&[], DEFAULT));
        for odd in ["-x", "-0", "--", "-100001", "--limit"] {
            assert_eq!(parse(&[odd]), Err(format!("Error: history has no option {odd}")));
        }
    }

    #[test]
    fn the_keys_of_a_record_stay_and_what_is_not_said_is_null() {
        let json = serde_json::to_value(RecordObject::new(&process("PROCESS_STATE_RUNNING"))).unwrap();
        let keys = json.as_object().unwrap();
        assert_eq!(
            (keys.len(), &keys["process"], &keys["uptime"]),
            (25, &"web".into(), &serde_json::Value::Null)
        );
        let exit = HistoryRecord { ends: 1, uptime: 0.0, status: Some(0), ..process("PROCESS_STATE_EXITED") };
        let json = serde_json::to_value(RecordObject::new(&exit)).unwrap();
        assert_eq!(
            (&json["expected"], &json["uptime"], &json["status"]),
            (&false.into(), &0.0.into(), &0.into())
        );
    }

    proptest! {
        #[test]
        fn any_record_makes_one_harmless_line(text in any::<String>(), at in any::<f64>(), event in any::<String>(),
                                              uptime in any::<f64>()) {
            let record = HistoryRecord {
                at, event, uptime, ends: 1, group: text.clone(), process: text.clone(), why: text.clone(),
                by: text.clone(), kind: text.clone(), data: text, ..HistoryRecord::default()
            };
            let line = line(&record, &LocalClock::new(), PIPE);
            prop_assert!(!line.chars().any(char::is_control), "{}", line);
        }
    }
}
