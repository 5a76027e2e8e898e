//! `remove`: removes stopped groups from the active configuration.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};

pub(super) const VERB: Verb = Verb {
    name: "remove",
    help: &["remove <name> [...]\tRemoves process/group from active config"],
    extensions: &[],
    completes: Completion::Groups,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    words(rest).into_iter().try_for_each(|name| remove(session, name))?;
    Ok(Flow::Next)
}

fn remove(session: &mut Session, name: &str) -> Result<(), CtlError> {
    match session.call("supervisor.removeProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.print_sanitized(&format!("{name}: removed process group")),
        Err(error) if error.is_fault(FaultKind::StillRunning) => {
            session.fail(exit_status::GENERIC, &format!("ERROR: process/group still running: {name}"));
        }
        Err(error) if error.is_fault(FaultKind::BadName) => {
            session.fail(exit_status::GENERIC, &format!("ERROR: no such process/group: {name}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
