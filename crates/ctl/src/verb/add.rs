//! `add`: activates groups of the configuration read last.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{Completion, Verb};

pub(super) const VERB: Verb = Verb {
    name: "add",
    help: &["add <name> [...]\tActivates any updates in config for process/group"],
    completes: Completion::Groups,
    run,
    ..Verb::ORIGINAL
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    words(rest).into_iter().try_for_each(|name| add(session, name))
}

fn add(session: &mut Session, name: &str) -> Result<(), CtlError> {
    match session.call("supervisor.addProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.print_sanitized(&format!("{name}: added process group")),
        // The exit status stays.
        Err(error) if error.is_fault(FaultKind::AlreadyAdded) => {
            session.print("ERROR: process group already active");
        }
        Err(error) => {
            let unknown = format!("ERROR: no such process/group: {name}");
            let lines = [(FaultKind::ShutdownState, "ERROR: shutting down"), (FaultKind::BadName, &unknown)];
            session.fail_by_fault(error, &lines)?;
        }
    }
    Ok(())
}
