//! `listeners`: how each event listener is, and what is wrong with it.

use std::collections::BTreeMap;

use ironlance_core::Namespec;
use ironlance_core::listener::problem::ListenerFacts;
use ironlance_core::listener::protocol::ListenerState;
use ironlance_host::local_time::LocalClock;
use ironlance_rpc::FaultKind;
use serde::Serialize;

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::buffer::TerminalInfo;
use crate::output::json::{self, OutputFormat};
use crate::output::style;
use crate::session::{CallFn, Session, exit_status};
use crate::struct_view::{StructView, struct_list};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, print_help};
use crate::verb::outbox_status::{self, OutboxStatus};

pub(crate) const VERB: Verb = Verb {
    name: "listeners",
    help: &[
        "listeners\t\tShow the event listeners: state, events and alerts that wait, what was lost",
        "--json\t\t\tThe same as JSON, for scripts",
    ],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Ours,
    needs_server: false,
    run,
};

const METHOD: &str = "ironlance.getListeners";

/// A listener, as supervisord tells it and as `--json` shows it.
#[derive(Clone, Debug, Serialize)]
struct ListenerObject {
    pool: String,
    process: String,
    namespec: String,
    state: String,
    /// The serial of the event it works on; `null` for none.
    event: Option<i64>,
    pending: i64,
    /// `null` where `buffer_size` is not set: then memory is what bounds it.
    capacity: Option<i64>,
    pending_bytes: i64,
    capacity_bytes: i64,
    full: bool,
    dropped: i64,
    dropped_by_type: BTreeMap<String, i64>,
    merged: i64,
    answered: i64,
    dead_letters: i64,
    dead_letters_by_type: BTreeMap<String, i64>,
    offences: i64,
    babbles: i64,
    babble: String,
    last_result: String,
    /// Why it cannot do its work as it is configured.
    doubts: Vec<String>,
    /// Its outbox; `null` where it is no listener of ours, or supervisord does not tell.
    alerts: Option<OutboxStatus>,
    /// What somebody should look at.
    wrong: Vec<String>,
}

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let mut arguments = words(rest);
    let form = json::take_json_option(&mut arguments);
    if !arguments.is_empty() {
        session.fail(exit_status::GENERIC, "Error: listeners accepts no arguments but --json");
        print_help(session, &VERB);
        return Ok(Flow::Next);
    }
    if !session.check_server()? {
        return Ok(Flow::Next);
    }
    let Some(mut listeners) = fetch(&mut |method, params| session.call(method, params))? else {
        session.fail(
            exit_status::UNIMPLEMENTED_FEATURE,
            "This supervisord does not tell how its listeners are; ironlance's does. See: status",
        );
        return Ok(Flow::Next);
    };
    let outboxes = outbox_status::fetch(&mut |method, params| session.call(method, params))?;
    add_outboxes(&mut listeners, &outboxes);
    let lines = match form {
        OutputFormat::Json => json::lines(&listeners),
        OutputFormat::Text => table(&listeners, &outboxes, session.terminal()),
    };
    lines.iter().for_each(|line| session.print(line));
    Ok(Flow::Next)
}

/// Every listener; nothing where this supervisord does not tell.
fn fetch(call: &mut CallFn<'_>) -> Result<Option<Vec<ListenerObject>>, CtlError> {
    match call(METHOD, &[]) {
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => Ok(None),
        told => struct_list(METHOD, &told?)?
            .into_iter()
            .map(ListenerObject::read)
            .collect::<Result<_, _>>()
            .map(Some),
    }
}

/// Adds to each listener what waits in its outbox.
fn add_outboxes(listeners: &mut [ListenerObject], outboxes: &[OutboxStatus]) {
    let clock = LocalClock::new();
    for listener in listeners {
        let namespec = Namespec::new(&listener.pool, &listener.process);
        listener.alerts = outboxes.iter().find(|outbox| outbox.is_used_by(&namespec)).cloned();
        listener.wrong.extend(listener.alerts.iter().flat_map(|outbox| outbox.problems(&clock)));
    }
}

/// What is wrong with each listener, by its process; nobody where this supervisord does not tell.
pub(crate) fn problems(session: &mut Session) -> Result<Vec<(Namespec, Vec<String>)>, CtlError> {
    let mut listeners = fetch(&mut |method, params| session.call(method, params))?.unwrap_or_default();
    if !listeners.is_empty() {
        add_outboxes(
            &mut listeners,
            &outbox_status::fetch(&mut |method, params| session.call(method, params))?,
        );
    }
    let told = |one: ListenerObject| (Namespec::new(&one.pool, &one.process), one.wrong);
    Ok(listeners.into_iter().map(told).collect())
}

impl ListenerObject {
    fn read(record: StructView<'_>) -> Result<Self, CtlError> {
        let (pool, process) = (record.text("pool")?, record.text("process")?);
        let event = record.int("event")?;
        let mut listener = Self {
            pool: pool.to_owned(),
            process: process.to_owned(),
            namespec: Namespec::new(pool, process).to_string(),
            state: record.text("state")?.to_owned(),
            event: (event >= 0).then_some(event),
            pending: record.int("pending")?,
            capacity: Some(record.int("capacity")?).filter(|capacity| *capacity >= 0),
            pending_bytes: record.int("pending_bytes")?,
            capacity_bytes: record.int("capacity_bytes")?,
            full: record.boolean("full")?,
            dropped: record.int("dropped")?,
            dropped_by_type: record.counts("dropped_by_type")?,
            merged: record.int("merged")?,
            answered: record.int("answered")?,
            dead_letters: record.int("dead_letters")?,
            dead_letters_by_type: record.counts("dead_letters_by_type")?,
            offences: record.int("offences")?,
            babbles: record.int("babbles")?,
            babble: record.text("babble")?.to_owned(),
            last_result: record.text("last_result")?.to_owned(),
            doubts: record.texts("doubts"),
            alerts: None,
            wrong: Vec::new(),
        };
        listener.wrong = listener.find_problems();
        Ok(listener)
    }

    fn find_problems(&self) -> Vec<String> {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        // An unknown state is that of a later version, and no problem that we know of.
        let state = || ListenerState::from_name(&self.state).unwrap_or(ListenerState::Ready);
        let facts = ListenerFacts {
            state: (self.state != "NOT_RUNNING").then(state),
            pending: count(self.pending),
            is_full: self.full,
            dropped: (count(self.dropped), by_type(&self.dropped_by_type)),
            rejected: (count(self.dead_letters), by_type(&self.dead_letters_by_type)),
            recycled: count(self.offences),
            stray_output: (self.babbles > 0).then_some(self.babble.as_str()),
            warnings: &self.doubts,
        };
        facts.problems().iter().map(ToString::to_string).collect()
    }

    fn cells(&self) -> [String; COLUMNS] {
        let result = if self.last_result.is_empty() { "-" } else { &self.last_result };
        [
            style::escape_controls(&self.namespec),
            style::escape_controls(&self.state),
            self.event.map_or_else(|| "-".to_owned(), |event| event.to_string()),
            self.capacity.map_or_else(|| self.pending.to_string(), |most| format!("{}/{most}", self.pending)),
            self.dropped.to_string(),
            self.merged.to_string(),
            self.answered.to_string(),
            style::truncate(&style::escape_controls(result), RESULT_WIDTH),
        ]
    }
}

/// `3 TICK_5, 1 PROCESS_STATE_EXITED`.
fn by_type(counts: &BTreeMap<String, i64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    counts.join(", ")
}

/// A result may be a megabyte; so much of it is shown, in columns.
const RESULT_WIDTH: usize = 16;
const COLUMNS: usize = 8;
const TITLES: [&str; COLUMNS] =
    ["LISTENER", "STATE", "EVENT", "PENDING", "DROPPED", "MERGED", "ANSWERED", "LAST RESULT"];

/// A line for each listener, and below it what is wrong with it; then the outboxes that are of none of them.
fn table(listeners: &[ListenerObject], outboxes: &[OutboxStatus], terminal: TerminalInfo) -> Vec<String> {
    if listeners.is_empty() {
        return vec!["No event listeners.".to_owned()];
    }
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(listeners.iter().map(ListenerObject::cells));
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|at| rows.iter().map(|row| style::width(&row[at])).max().unwrap_or(0));
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| style::pad(cell, width)).collect();
        lines.push(cells.join("  ").trim_end().to_owned());
        // The first row are the titles.
        let wrong = at.checked_sub(1).map_or(&[][..], |at| &listeners[at].wrong);
        if !wrong.is_empty() {
            let wrong = format!("! {}", wrong.join("; "));
            lines.extend(problem_lines(&wrong, terminal).iter().map(|line| format!("  {line}")));
        }
    }
    let clock = LocalClock::new();
    lines.extend(
        outboxes
            .iter()
            .filter_map(|outbox| outbox.unassigned_problem(&clock))
            .flat_map(|it| problem_lines(&it, terminal)),
    );
    // An outbox of several listeners is one line.
    let mut ways: Vec<String> = outboxes.iter().filter_map(OutboxStatus::list_command).collect();
    ways.sort_unstable();
    ways.dedup();
    lines.extend(ways.iter().map(|way| style::escape_controls(way)));
    lines
}

/// What is wrong, on lines that leave room for two blanks before them.
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

    fn types(count: i64) -> Value {
        Value::Struct((count > 0).then(|| ("TICK_5".into(), count.into())).into_iter().collect())
    }

    fn listener(process: &str, state: &str, pending: i64, dropped: i64, offences: i64) -> ListenerObject {
        let value = Value::record([
            ("pool", "alarm".into()),
            ("process", process.into()),
            ("state", state.into()),
            ("event", if state == "BUSY" { Value::Int(42) } else { Value::Int(-1) }),
            ("last_result", if state == "READY" { "OK".into() } else { "".into() }),
            ("offences", offences.into()),
            ("pending", pending.into()),
            ("capacity", if process == "x" { Value::Int(-1) } else { 5_i64.into() }),
            ("pending_bytes", 100_i64.into()),
            ("capacity_bytes", 1000_i64.into()),
            ("full", Value::Bool(pending == 5)),
            ("dropped", dropped.into()),
            ("dropped_by_type", types(dropped)),
            ("merged", 0_i64.into()),
            ("answered", 7_i64.into()),
            ("dead_letters", Value::Int(0)),
            ("dead_letters_by_type", types(0)),
            ("babbles", Value::Int(0)),
            ("babble", "".into()),
        ]);
        ListenerObject::read(StructView::new(METHOD, &value)).unwrap()
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
            assert_eq!(listener("x", state, pending, dropped, offences).wrong.join("; "), wrong);
        }
    }

    #[test]
    fn no_listener_is_a_line_too() {
        assert_eq!(table(&[], &[], PIPE), ["No event listeners."]);
    }

    #[test]
    fn an_answer_of_another_kind_is_one_line() {
        let value = Value::record([("pool", "a".into())]);
        let error = ListenerObject::read(StructView::new(METHOD, &value)).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the answer to ironlance.getListeners: "));
    }
}
