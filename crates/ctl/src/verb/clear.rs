//! `clear`: clears the logs of processes.

use ironlance_rpc::{Fault, FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{Selector, namespec, struct_list};
use crate::verb::api::{Completion, Verb, refuse};

pub(super) const VERB: Verb = Verb {
    name: "clear",
    help: &[
        "clear <name>\t\tClear a process' log files.",
        "clear <name> <name>\tClear multiple process' log files",
        "clear all\t\tClear all process' log files",
    ],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

const ALL: &str = "supervisor.clearAllProcessLogs";
const ONE: &str = "supervisor.clearProcessLogs";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let names = words(rest);
    if names.is_empty() {
        refuse(session, &VERB, exit_status::GENERIC, "Error: clear requires a process name");
    } else if names.contains(&"all") {
        let results = session.call(ALL, &[])?;
        for result in struct_list(ALL, &results)? {
            let name = namespec(result.text("group")?, result.text("name")?);
            report_result(session, &name, result.int("status")?)?;
        }
    } else {
        names.into_iter().try_for_each(|name| one(session, name))?;
    }
    Ok(())
}

fn one(session: &mut Session, name: &str) -> Result<(), CtlError> {
    let shown = match Selector::parse(name) {
        Selector::Process { group, name } => namespec(group, name),
        // There is no method for a group; the original prints this name in the error.
        Selector::Group(group) => namespec(group, "None"),
    };
    match session.call(ONE, &[Value::from(name)]) {
        Ok(_) => report_result(session, &shown, FaultKind::Success.code()),
        Err(error) => match error.fault() {
            // Ironlance's message has the reason and a hint.
            Some(Fault { code, string }) if string.starts_with("FAILED: cannot ") => {
                session.print_sanitized(&format!("{shown}: ERROR ({string})"));
                session.note_result(*code, None);
                Ok(())
            }
            Some(Fault { code, .. }) => report_result(session, &shown, *code),
            None => Err(error),
        },
    }
}

fn report_result(session: &mut Session, name: &str, code: i64) -> Result<(), CtlError> {
    let words = [
        (FaultKind::BadName, "ERROR (no such process)"),
        (FaultKind::Failed, "ERROR (failed)"),
        (FaultKind::Success, "cleared"),
    ];
    let Some((_, words)) = words.into_iter().find(|(kind, _)| kind.code() == code) else {
        return Err(CtlError::ResultCode { code, name: name.to_owned() });
    };
    session.print_sanitized(&format!("{name}: {words}"));
    if code == FaultKind::BadName.code() {
        session.print_suggestion(name);
    }
    session.note_result(code, None);
    Ok(())
}
