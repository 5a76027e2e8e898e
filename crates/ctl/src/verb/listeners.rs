//! `listeners`: the state of each event listener, and its problems.

use std::collections::BTreeMap;

use ironlance_core::Namespec;
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::Record;
use ironlance_rpc::api::{ListenerStatus, OutboxStatus};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};
use crate::output::style;
use crate::session::{CallFn, Session, call_extension, exit_status};
use crate::verb::api::{Verb, refuse};
use crate::verb::outbox_status::{self, OutboxObject};

pub(crate) const VERB: Verb = Verb {
    name: "listeners",
    help: &[
        "listeners\t\tShow the event listeners: state, events and alerts that wait, what was lost",
        "--json\t\t\tThe same as JSON, for scripts",
    ],
    run,
    ..Verb::OURS
};

const METHOD: &str = "ironlance.getListeners";

/// A listener, its outbox and its problems.
struct ListenerReport {
    status: ListenerStatus,
    outbox: Option<OutboxStatus>,
    problems: Vec<String>,
}

/// The object in `--json`.
impl Serialize for ListenerReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let status = &self.status;
        let by_type = |counts: &[(String, u64)]| counts.iter().cloned().collect::<BTreeMap<String, u64>>();
        let mut object = serializer.serialize_struct("Listener", 23)?;
        object.serialize_field("pool", &status.pool)?;
        object.serialize_field("process", &status.process)?;
        object.serialize_field("namespec", &status.namespec().to_string())?;
        object.serialize_field("state", &status.state)?;
        object.serialize_field("event", &status.event)?;
        object.serialize_field("pending", &status.pending)?;
        object.serialize_field("capacity", &status.capacity)?;
        object.serialize_field("pending_bytes", &status.pending_bytes)?;
        object.serialize_field("capacity_bytes", &status.capacity_bytes)?;
        object.serialize_field("full", &status.is_full)?;
        object.serialize_field("dropped", &status.dropped)?;
        object.serialize_field("dropped_by_type", &by_type(&status.dropped_by_type))?;
        object.serialize_field("merged", &status.merged)?;
        object.serialize_field("answered", &status.answered)?;
        object.serialize_field("dead_letters", &status.dead_letters)?;
        object.serialize_field("dead_letters_by_type", &by_type(&status.dead_letters_by_type))?;
        object.serialize_field("offences", &status.violations)?;
        object.serialize_field("babbles", &status.stray_outputs)?;
        object.serialize_field("babble", &status.stray_output)?;
        object.serialize_field("last_result", &status.last_result)?;
        object.serialize_field("doubts", &status.doubts)?;
        object.serialize_field("alerts", &self.outbox.as_ref().map(OutboxObject))?;
        object.serialize_field("wrong", &self.problems)?;
        object.end()
    }
}

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let mut arguments = words(rest);
    let form = json::take_json_option(&mut arguments);
    if !arguments.is_empty() {
        let line = "Error: listeners accepts no arguments but --json";
        refuse(session, &VERB, exit_status::GENERIC, line);
        return Ok(());
    }
    if !session.check_server()? {
        return Ok(());
    }
    let Some((listeners, outboxes)) = fetch(&mut session.caller())? else {
        session.fail(
            exit_status::UNIMPLEMENTED_FEATURE,
            "This supervisord does not tell how its listeners are; ironlance's does. See: status",
        );
        return Ok(());
    };
    let lines = match form {
        OutputFormat::Json => json::lines(&listeners),
        OutputFormat::Text => table(&listeners, &outboxes, session.terminal()),
    };
    lines.iter().for_each(|line| session.print(line));
    Ok(())
}

type Reports = (Vec<ListenerReport>, Vec<OutboxStatus>);

/// All listeners and all outboxes; `None` from a supervisord without these methods.
fn fetch(call: &mut CallFn<'_>) -> Result<Option<Reports>, CtlError> {
    let listeners = call_extension(call, METHOD, &[], ListenerStatus::list_from_value)?;
    let Some(listeners) = listeners else { return Ok(None) };
    // Most supervisords have no listeners, and then no outbox matters.
    let outboxes = if listeners.is_empty() { Vec::new() } else { outbox_status::fetch(call)? };
    let clock = LocalClock::new();
    let report = |status| ListenerReport::new(status, &outboxes, &clock);
    let reports = listeners.into_iter().map(report).collect();
    Ok(Some((reports, outboxes)))
}

/// The problems of each listener by its process; empty from a supervisord without this method.
pub(crate) fn problems(session: &mut Session) -> Result<Vec<(Namespec, Vec<String>)>, CtlError> {
    let (listeners, _) = fetch(&mut session.caller())?.unwrap_or_default();
    Ok(listeners.into_iter().map(|listener| (listener.status.namespec(), listener.problems)).collect())
}

impl ListenerReport {
    fn new(status: ListenerStatus, outboxes: &[OutboxStatus], clock: &LocalClock) -> Self {
        let namespec = status.namespec();
        let outbox = outboxes.iter().find(|outbox| outbox_status::is_used_by(outbox, &namespec)).cloned();
        let mut problems: Vec<String> = status.problems().iter().map(ToString::to_string).collect();
        problems.extend(outbox.iter().flat_map(|outbox| outbox_status::problems(outbox, clock)));
        Self { status, outbox, problems }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let status = &self.status;
        let result = if status.last_result.is_empty() { "-" } else { &status.last_result };
        [
            style::escape_controls(&status.namespec().to_string()),
            style::escape_controls(&status.state),
            status.event.map_or_else(|| "-".to_owned(), |event| event.to_string()),
            status
                .capacity
                .map_or_else(|| status.pending.to_string(), |most| format!("{}/{most}", status.pending)),
            status.dropped.to_string(),
            status.merged.to_string(),
            status.answered.to_string(),
            style::truncate(&style::escape_controls(result), RESULT_WIDTH),
        ]
    }
}

/// The width of a result, in columns; it may be a megabyte long.
const RESULT_WIDTH: usize = 16;
const COLUMNS: usize = 8;
const TITLES: [&str; COLUMNS] =
    ["LISTENER", "STATE", "EVENT", "PENDING", "DROPPED", "MERGED", "ANSWERED", "LAST RESULT"];

/// A line for each listener with its problems below it; then outboxes that belong to no listener.
fn table(listeners: &[ListenerReport], outboxes: &[OutboxStatus], terminal: TerminalInfo) -> Vec<String> {
    if listeners.is_empty() {
        return vec!["No event listeners.".to_owned()];
    }
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(listeners.iter().map(ListenerReport::cells));
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|at| rows.iter().map(|row| style::width(&row[at])).max().unwrap_or(0));
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| style::pad(cell, width)).collect();
        lines.push(cells.join("  ").trim_end().to_owned());
        // The first row has the titles.
        let wrong = at.checked_sub(1).map_or(&[][..], |at| &listeners[at].problems);
        if !wrong.is_empty() {
            let wrong = format!("! {}", wrong.join("; "));
            lines.extend(problem_lines(&wrong, terminal).iter().map(|line| format!("  {line}")));
        }
    }
    let clock = LocalClock::new();
    lines.extend(
        outboxes
            .iter()
            .filter_map(|outbox| outbox_status::unassigned_problem(outbox, &clock))
            .flat_map(|it| problem_lines(&it, terminal)),
    );
    // An outbox shared by several listeners is one line.
    let mut ways: Vec<String> = outboxes.iter().filter_map(outbox_status::list_command).collect();
    ways.sort_unstable();
    ways.dedup();
    lines.extend(ways.iter().map(|way| style::escape_controls(way)));
    lines
}

/// Problems as lines that leave room for an indent of two.
fn problem_lines(wrong: &str, terminal: TerminalInfo) -> Vec<String> {
    let wrong = style::escape_controls(wrong);
    let fitting = match terminal.is_terminal {
        true => style::wrap(&wrong, terminal.columns.saturating_sub(2), 2),
        false => vec![wrong],
    };
    fitting.iter().map(|line| style::warning(line, terminal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use ironlance_rpc::Value;

    const PIPE: TerminalInfo = TerminalInfo { columns: 80, colour: false, is_terminal: false };

    fn listener(process: &str, state: &str, pending: u64, dropped: u64, violations: u64) -> ListenerReport {
        let status = ListenerStatus {
            pool: "alarm".into(),
            process: process.into(),
            state: state.into(),
            event: (state == "BUSY").then_some(42),
            last_result: if state == "READY" { "OK".into() } else { String::new() },
            violations,
            pending,
            capacity: (process != "x").then_some(5),
            is_full: pending == 5,
            dropped,
            dropped_by_type: (dropped > 0).then(|| ("TICK_5".into(), dropped)).into_iter().collect(),
            answered: 7,
            ..ListenerStatus::default()
        };
        ListenerReport::new(status, &[], &LocalClock::new())
    }

    #[test]
    fn a_healthy_listener_is_one_line_and_a_sick_one_is_marked() {
        let lines =
            table(&[listener("alarm", "READY", 0, 0, 0), listener("队列", "BUSY", 5, 17, 0)], &[], PIPE);
        assert_eq!(
            lines,
            [
                "LISTENER    STATE  EVENT  PENDING  DROPPED  MERGED  ANSWERED  LAST RESULT",
                "alarm       READY  -      0/5      0        0       7         OK",
                "alarm:队列  BUSY   42     5/5      17       0       7         -",
                "  ! its buffer is full; 17 events lost (17 TICK_5)",
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        for (state, pending, dropped, offences, wrong) in [
            ("NOT_RUNNING", 0, 0, 0, "not running"),
            ("UNKNOWN", 0, 0, 0, "broke the protocol"),
            ("ACKNOWLEDGED", 1, 0, 0, "has not said READY; 1 event waiting"),
            ("BUSY", 3, 0, 0, "3 events waiting"),
            ("READY", 0, 1, 2, "1 event lost (1 TICK_5); restarted for breaking the protocol, 2 lately"),
            ("ACKNOWLEDGED", 0, 0, 0, ""),
            ("BUSY", 0, 0, 0, ""),
        ] {
            assert_eq!(listener("x", state, pending, dropped, offences).problems.join("; "), wrong);
        }
    }

    #[test]
    fn no_listener_is_a_line_too() {
        assert_eq!(table(&[], &[], PIPE), ["No event listeners."]);
    }

    #[test]
    fn an_answer_of_another_kind_is_one_line() {
        let value = Value::Array(vec![Value::record([("pool", "a".into())])]);
        let error = fetch(&mut |_, _| Ok(value.clone())).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the answer to ironlance.getListeners: "));
    }
}
