//! `clear`: empties the logs of processes.

use ironlance_rpc::{Fault, FaultKind, Value};

use crate::record::{Target, namespec, records};
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb, say_help};

pub(super) const VERB: Verb = Verb {
    name: "clear",
    help: &[
        "clear <name>\t\tClear a process' log files.",
        "clear <name> <name>\tClear multiple process' log files",
        "clear all\t\tClear all process' log files",
    ],
    ours: &[],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

const ALL: &str = "supervisor.clearAllProcessLogs";
const ONE: &str = "supervisor.clearProcessLogs";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    let names = words(rest);
    if names.is_empty() {
        session.refuse(status::GENERIC, "Error: clear requires a process name");
        say_help(session, &VERB);
    } else if names.contains(&"all") {
        let results = session.call(ALL, &[])?;
        for result in records(ALL, &results)? {
            let name = namespec(result.text("group")?, result.text("name")?);
            say_result(session, &name, result.int("status")?)?;
        }
    } else {
        names.into_iter().try_for_each(|name| one(session, name))?;
    }
    Ok(Flow::Next)
}

fn one(session: &mut Session, name: &str) -> Result<(), Trouble> {
    let shown = match Target::of(name) {
        Target::Process { group, name } => namespec(group, name),
        // There is no method for a group. This is what the original calls it when it is refused.
        Target::Group(group) => namespec(group, "None"),
    };
    match session.call(ONE, &[Value::from(name)]) {
        Ok(_) => say_result(session, &shown, FaultKind::Success.code()),
        Err(trouble) => match trouble.fault() {
            // Ours says why, and what would help.
            Some(Fault { code, string }) if string.starts_with("FAILED: cannot ") => {
                session.tell(&format!("{shown}: ERROR ({string})"));
                session.note_result(*code, None);
                Ok(())
            }
            Some(Fault { code, .. }) => say_result(session, &shown, *code),
            None => Err(trouble),
        },
    }
}

fn say_result(session: &mut Session, name: &str, code: i64) -> Result<(), Trouble> {
    let words = [
        (FaultKind::BadName, "ERROR (no such process)"),
        (FaultKind::Failed, "ERROR (failed)"),
        (FaultKind::Success, "cleared"),
    ];
    let Some((_, words)) = words.into_iter().find(|(kind, _)| kind.code() == code) else {
        return Err(Trouble::ResultCode { code, name: name.to_owned() });
    };
    session.tell(&format!("{name}: {words}"));
    if code == FaultKind::BadName.code() {
        session.suggest(name);
    }
    session.note_result(code, None);
    Ok(())
}
