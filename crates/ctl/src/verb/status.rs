//! `status`: how the programs are.

use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::{CallError, FaultKind, ProcessInfo, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::json::{self, OutputFormat, StatusObject};
use crate::output::style::{self, ExitExpectation, StatusRow};
use crate::selector;
use crate::session::{Session, exit_status};
use crate::struct_view::{Selector, StructView, namespec, unexpected_answer};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};
use crate::verb::outbox_status;

pub(super) const VERB: Verb = Verb {
    name: "status",
    help: &[
        "status <name>\t\tGet status for a single process",
        "status <gname>:*\tGet status for all processes in a group",
        "status <name> <name>\tGet status for multiple named processes",
        "status\t\t\tGet all process status info",
    ],
    extensions: &[
        "--json\t\t\tThe same as JSON, for scripts: an array, an object a line",
        "status web*\t\tOf what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completion::Processes,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

const METHOD: &str = "supervisor.getAllProcessInfo";

/// One line of the list.
#[derive(Clone, Copy)]
struct Row<'v> {
    group: &'v str,
    name: &'v str,
    state: i64,
    statename: &'v str,
    description: &'v str,
    exitstatus: i64,
    whole: &'v Value,
}

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    show(session, rest)?;
    Ok(Flow::Next)
}

/// Shows the status of what is named in `rest`, or of everything.
pub(super) fn show(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if !session.check_server()? {
        session.status = exit_status::STATUS_UNKNOWN;
        return Ok(());
    }
    let mut names = words(rest);
    let form = json::take_json_option(&mut names);
    let all = session.call(METHOD, &[])?;
    let all = rows(&all)?;
    let matching: Vec<&Row<'_>> = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        names.into_iter().flat_map(|name| select_rows(session, &all, name, form)).collect()
    };
    let lines = match form {
        OutputFormat::Json => objects(session, &matching)?,
        OutputFormat::Text => table(session, &matching),
    };
    lines.iter().for_each(|line| session.print(line));
    // In a pipe the lines are the original's and no more.
    if form == OutputFormat::Text
        && session.terminal().is_terminal
        && let Some(mark) = outbox_status::summary(session)
    {
        let mark = style::warning(&style::escape_controls(&mark), session.terminal());
        session.print(&mark);
    }
    if matching.iter().any(|row| is_down(row.state)) {
        session.status = exit_status::STATUS_NOT_RUNNING;
    }
    Ok(())
}

fn table(session: &mut Session, rows: &[&Row<'_>]) -> Vec<String> {
    let terminal = session.terminal();
    let expected = if terminal.colour { expected_exits(session, rows) } else { Vec::new() };
    let rows: Vec<StatusRow<'_>> = rows
        .iter()
        .map(|row| StatusRow {
            namespec: namespec(row.group, row.name),
            word: row.statename,
            state: state(row.state),
            expectation: match row.exitstatus {
                0 => ExitExpectation::Expected,
                _ if expected.contains(&(row.group, row.name)) => ExitExpectation::Expected,
                _ => ExitExpectation::Unexpected,
            },
            description: row.description,
        })
        .collect();
    style::status(&rows, terminal)
}

/// Who is EXITED with a status that is not 0, but one of its `exitcodes`; asked only where there is anybody to ask for.
fn expected_exits<'v>(session: &mut Session, rows: &[&Row<'v>]) -> Vec<(&'v str, &'v str)> {
    let odd = |row: &&&Row<'_>| row.exitstatus != 0 && state(row.state) == ProcessState::Exited;
    let odd: Vec<&&Row<'_>> = rows.iter().filter(odd).collect();
    if odd.is_empty() {
        return Vec::new();
    }
    // It is about a colour: without an answer the end counts as unexpected.
    let Ok(Value::Array(configs)) = session.call("supervisor.getAllConfigInfo", &[]) else {
        return Vec::new();
    };
    let is_expected = |row: &&&&Row<'v>| {
        let is_of = |config: &&Value| {
            let text = |key| config.member(key).and_then(Value::as_str);
            text("group") == Some(row.group) && text("name") == Some(row.name)
        };
        let codes = configs.iter().find(is_of).and_then(|config| config.member("exitcodes"));
        matches!(codes, Some(Value::Array(codes)) if codes.contains(&Value::Int(row.exitstatus)))
    };
    odd.iter().filter(is_expected).map(|row| (row.group, row.name)).collect()
}

fn objects(session: &mut Session, rows: &[&Row<'_>]) -> Result<Vec<String>, CtlError> {
    let read = |row: &&Row<'_>| ProcessInfo::from_value(row.whole).map_err(CallError::from);
    let infos = rows.iter().map(read).collect::<Result<Vec<ProcessInfo>, CallError>>()?;
    let ends = match session.call("ironlance.getAllProcessEnds", &[]) {
        Err(error) if error.is_fault(FaultKind::UnknownMethod) => None,
        ends => Some(ends?),
    };
    let starts = json::starts(&infos, ends.as_ref());
    let objects: Vec<StatusObject> =
        infos.iter().zip(starts).map(|(info, starts)| StatusObject::new(info, starts)).collect();
    Ok(json::lines(&objects))
}

/// The rows that a name means; that there are none is said.
fn select_rows<'r, 'v>(
    session: &mut Session,
    all: &'r [Row<'v>],
    name: &str,
    form: OutputFormat,
) -> Vec<&'r Row<'v>> {
    let target = Selector::parse(name);
    let is_meant = |row: &&Row<'_>| match target {
        Selector::Group(group) => row.group == group,
        Selector::Process { group, name } => row.group == group && row.name == name,
    };
    let mut found: Vec<&Row<'_>> = all.iter().filter(is_meant).collect();
    if found.is_empty() && selector::is_pattern(name) {
        let namespecs: Vec<Namespec> = all.iter().map(|row| Namespec::new(row.group, row.name)).collect();
        found = selector::select(name, &namespecs).into_iter().map(|at| &all[at]).collect();
    }
    if found.is_empty() {
        session.status = exit_status::STATUS_UNKNOWN;
    }
    if found.is_empty() {
        let line = match target {
            Selector::Group(group) => format!("{group}: ERROR (no such group)"),
            Selector::Process { .. } => format!("{name}: ERROR (no such process)"),
        };
        match form {
            OutputFormat::Text => {
                session.fail(exit_status::STATUS_UNKNOWN, &line);
                session.print_suggestion(name);
            }
            // An array of objects has no room for words.
            OutputFormat::Json => session.print_error(&line),
        }
    }
    found
}

fn rows(all: &Value) -> Result<Vec<Row<'_>>, CtlError> {
    let Value::Array(all) = all else { return Err(unexpected_answer(METHOD, "the list")) };
    all.iter().map(row).collect()
}

fn row(whole: &Value) -> Result<Row<'_>, CtlError> {
    let record = StructView::new(METHOD, whole);
    Ok(Row {
        group: record.text("group")?,
        name: record.text("name")?,
        state: record.int("state")?,
        statename: record.text("statename")?,
        description: record.text("description")?,
        exitstatus: record.int("exitstatus").unwrap_or_default(),
        whole,
    })
}

fn state(code: i64) -> ProcessState {
    ProcessState::from_code(code).unwrap_or(ProcessState::Unknown)
}

fn is_down(state: i64) -> bool {
    use ProcessState::{Exited, Fatal, Stopped, Unknown};
    [Stopped, Exited, Fatal, Unknown].into_iter().any(|down| ProcessState::from_code(state) == Some(down))
}
