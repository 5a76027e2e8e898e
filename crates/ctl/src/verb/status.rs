//! `status`: the state of the processes, as text or JSON.

use ironlance_core::{Namespec, ProcessState};
use ironlance_rpc::api::ProcessExitInfo;
use ironlance_rpc::{ProcessInfo, Record, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::output::json::{self, OutputFormat, StatusObject};
use crate::output::style::{self, ExitExpectation, StatusRow};
use crate::selector;
use crate::session::{Session, call_extension, exit_status};
use crate::struct_view::{Selector, namespec};
use crate::verb::api::{Completion, Verb};
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
    run,
    ..Verb::ORIGINAL
};

/// Prints the status of the processes named in `rest`, or of all.
pub(super) fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if !session.check_server()? {
        session.status = exit_status::STATUS_UNKNOWN;
        return Ok(());
    }
    let mut names = words(rest);
    let form = json::take_json_option(&mut names);
    let all = session.all_process_info()?;
    let matching: Vec<&ProcessInfo> = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        let namespecs: Vec<Namespec> = all.iter().map(ProcessInfo::namespec).collect();
        let rows = names.into_iter().flat_map(|name| select(session, &namespecs, name, form));
        rows.map(|at| &all[at]).collect()
    };
    let lines = match form {
        OutputFormat::Json => objects(session, &matching)?,
        OutputFormat::Text => table(session, &matching),
    };
    lines.iter().for_each(|line| session.print(line));
    // In a pipe the output is the original's.
    if form == OutputFormat::Text
        && session.terminal().is_terminal
        && let Some(mark) = outbox_status::summary(session)
    {
        let mark = style::warning(&style::escape_controls(&mark), session.terminal());
        session.print(&mark);
    }
    if matching.iter().any(|row| is_down(row)) {
        session.status = exit_status::STATUS_NOT_RUNNING;
    }
    Ok(())
}

fn table(session: &mut Session, rows: &[&ProcessInfo]) -> Vec<String> {
    let terminal = session.terminal();
    let expected = if terminal.colour { expected_exits(session, rows) } else { Vec::new() };
    let rows: Vec<StatusRow<'_>> = rows
        .iter()
        .map(|row| StatusRow {
            namespec: namespec(&row.group, &row.name),
            word: &row.statename,
            state: row.process_state(),
            expectation: if expected.contains(&(&row.group, &row.name)) {
                ExitExpectation::Expected
            } else {
                ExitExpectation::of_status(row.exitstatus)
            },
            description: &row.description,
        })
        .collect();
    style::status(&rows, terminal)
}

/// The EXITED processes whose status is not 0 but one of their `exitcodes`. Calls supervisord only if there are candidates.
fn expected_exits<'r>(session: &mut Session, rows: &[&'r ProcessInfo]) -> Vec<(&'r str, &'r str)> {
    let is_candidate =
        |row: &&&ProcessInfo| row.exitstatus != 0 && row.process_state() == ProcessState::Exited;
    let candidates: Vec<&&ProcessInfo> = rows.iter().filter(is_candidate).collect();
    if candidates.is_empty() {
        return Vec::new();
    }
    // Only a colour depends on it: after an error the exit counts as unexpected.
    let Ok(Value::Array(configs)) = session.call("supervisor.getAllConfigInfo", &[]) else {
        return Vec::new();
    };
    let is_expected = |row: &&&&ProcessInfo| {
        let is_of = |config: &&Value| {
            let text = |key| config.member(key).and_then(Value::as_str);
            text("group") == Some(&row.group) && text("name") == Some(&row.name)
        };
        let codes = configs.iter().find(is_of).and_then(|config| config.member("exitcodes"));
        matches!(codes, Some(Value::Array(codes)) if codes.contains(&Value::Int(row.exitstatus)))
    };
    candidates.iter().filter(is_expected).map(|row| (row.group.as_str(), row.name.as_str())).collect()
}

fn objects(session: &mut Session, rows: &[&ProcessInfo]) -> Result<Vec<String>, CtlError> {
    let method = "ironlance.getAllProcessEnds";
    let exits = call_extension(&mut session.caller(), method, &[], ProcessExitInfo::list_from_value)?;
    let starts = json::starts(rows, exits.as_deref());
    let objects: Vec<StatusObject> =
        rows.iter().zip(starts).map(|(info, starts)| StatusObject::new(info, starts)).collect();
    Ok(json::lines(&objects))
}

/// The indexes of the processes that a name selects; prints an error if there are none.
fn select(session: &mut Session, all: &[Namespec], name: &str, form: OutputFormat) -> Vec<usize> {
    let found = selector::select(name, all);
    if found.is_empty() {
        session.status = exit_status::STATUS_UNKNOWN;
        let line = match Selector::parse(name) {
            Selector::Group(group) => format!("{group}: ERROR (no such group)"),
            Selector::Process { .. } => format!("{name}: ERROR (no such process)"),
        };
        match form {
            OutputFormat::Text => {
                session.print_sanitized(&line);
                session.print_suggestion(name);
            }
            // The JSON array has no room for a message.
            OutputFormat::Json => session.print_error(&line),
        }
    }
    found
}

fn is_down(info: &ProcessInfo) -> bool {
    use ProcessState::{Exited, Fatal, Stopped, Unknown};
    // A code that no state has is not one of them.
    matches!(ProcessState::from_code(info.state), Some(Stopped | Exited | Fatal | Unknown))
}
