//! `remove`: removes stopped groups from the active configuration.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{Completion, Verb};

pub(super) const VERB: Verb = Verb {
    name: "remove",
    help: &["remove <name> [...]\tRemoves process/group from active config"],
    completes: Completion::Groups,
    run,
    ..Verb::ORIGINAL
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    words(rest).into_iter().try_for_each(|name| remove(session, name))
}

fn remove(session: &mut Session, name: &str) -> Result<(), CtlError> {
    match session.call("supervisor.removeProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.print_sanitized(&format!("{name}: removed process group")),
        Err(error) => {
            let running = format!("ERROR: process/group still running: {name}");
            let unknown = format!("ERROR: no such process/group: {name}");
            let lines = [(FaultKind::StillRunning, running.as_str()), (FaultKind::BadName, &unknown)];
            session.fail_by_fault(error, &lines)?;
        }
    }
    Ok(())
}
