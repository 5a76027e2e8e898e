//! `status`: how the programs are.

use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::{CallError, FaultKind, ProcessInfo, Value};

use crate::alerts;
use crate::json::{self, Form, Status};
use crate::paint::{self, Ending, StatusRow};
use crate::pattern;
use crate::record::{Record, Target, lacking, namespec};
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "status",
    help: &[
        "status <name>\t\tGet status for a single process",
        "status <gname>:*\tGet status for all processes in a group",
        "status <name> <name>\tGet status for multiple named processes",
        "status\t\t\tGet all process status info",
    ],
    ours: &[
        "--json\t\t\tThe same as JSON, for scripts: an array, an object a line",
        "status web*\t\tOf what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completes::Processes,
    shelf: Shelf::Original,
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

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    show(session, rest)?;
    Ok(Flow::Next)
}

/// Shows the status of what is named in `rest`, or of everything.
pub(super) fn show(session: &mut Session, rest: &str) -> Result<(), Trouble> {
    if !session.is_up()? {
        session.status = status::STATUS_UNKNOWN;
        return Ok(());
    }
    let mut names = words(rest);
    let form = json::form(&mut names);
    let all = session.call(METHOD, &[])?;
    let all = rows(&all)?;
    let matching: Vec<&Row<'_>> = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        names.into_iter().flat_map(|name| named(session, &all, name, form)).collect()
    };
    let lines = match form {
        Form::Json => objects(session, &matching)?,
        Form::Text => table(session, &matching),
    };
    lines.iter().for_each(|line| session.say(line));
    // In a pipe the lines are the original's and no more.
    if form == Form::Text
        && session.terminal().is_terminal
        && let Some(mark) = alerts::mark(session)
    {
        let mark = paint::warning(&paint::escape_controls(&mark), session.terminal());
        session.say(&mark);
    }
    if matching.iter().any(|row| is_down(row.state)) {
        session.status = status::STATUS_NOT_RUNNING;
    }
    Ok(())
}

fn table(session: &mut Session, rows: &[&Row<'_>]) -> Vec<String> {
    let terminal = session.terminal();
    let expected = if terminal.colour { expected_ends(session, rows) } else { Vec::new() };
    let rows: Vec<StatusRow<'_>> = rows
        .iter()
        .map(|row| StatusRow {
            namespec: namespec(row.group, row.name),
            word: row.statename,
            state: state(row.state),
            ending: match row.exitstatus {
                0 => Ending::Expected,
                _ if expected.contains(&(row.group, row.name)) => Ending::Expected,
                _ => Ending::Unexpected,
            },
            description: row.description,
        })
        .collect();
    paint::status(&rows, terminal)
}

/// Who is EXITED with a status that is not 0, but one of its `exitcodes`; asked only where there is anybody to ask for.
fn expected_ends<'v>(session: &mut Session, rows: &[&Row<'v>]) -> Vec<(&'v str, &'v str)> {
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

fn objects(session: &mut Session, rows: &[&Row<'_>]) -> Result<Vec<String>, Trouble> {
    let read = |row: &&Row<'_>| ProcessInfo::from_value(row.whole).map_err(CallError::from);
    let infos = rows.iter().map(read).collect::<Result<Vec<ProcessInfo>, CallError>>()?;
    let ends = match session.call("ironlance.getAllProcessEnds", &[]) {
        Err(trouble) if is_fault(&trouble, FaultKind::UnknownMethod) => None,
        ends => Some(ends?),
    };
    let starts = json::starts(&infos, ends.as_ref());
    let objects: Vec<Status> =
        infos.iter().zip(starts).map(|(info, starts)| Status::new(info, starts)).collect();
    Ok(json::lines(&objects))
}

/// The rows that a name means; that there are none is said.
fn named<'r, 'v>(session: &mut Session, all: &'r [Row<'v>], name: &str, form: Form) -> Vec<&'r Row<'v>> {
    let target = Target::of(name);
    let is_meant = |row: &&Row<'_>| match target {
        Target::Group(group) => row.group == group,
        Target::Process { group, name } => row.group == group && row.name == name,
    };
    let mut found: Vec<&Row<'_>> = all.iter().filter(is_meant).collect();
    if found.is_empty() && pattern::is_pattern(name) {
        let namespecs: Vec<Namespec> = all.iter().map(|row| Namespec::new(row.group, row.name)).collect();
        found = pattern::select(name, &namespecs).into_iter().map(|at| &all[at]).collect();
    }
    if found.is_empty() {
        session.status = status::STATUS_UNKNOWN;
    }
    if found.is_empty() {
        let line = match target {
            Target::Group(group) => format!("{group}: ERROR (no such group)"),
            Target::Process { .. } => format!("{name}: ERROR (no such process)"),
        };
        match form {
            Form::Text => {
                session.refuse(status::STATUS_UNKNOWN, &line);
                session.suggest(name);
            }
            // An array of objects has no room for words.
            Form::Json => session.complain(&line),
        }
    }
    found
}

fn rows(all: &Value) -> Result<Vec<Row<'_>>, Trouble> {
    let Value::Array(all) = all else { return Err(lacking(METHOD, "the list")) };
    all.iter().map(row).collect()
}

fn row(whole: &Value) -> Result<Row<'_>, Trouble> {
    let record = Record::new(METHOD, whole);
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
