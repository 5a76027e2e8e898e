//! `add`: activates groups of the configuration read last.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};

pub(super) const VERB: Verb = Verb {
    name: "add",
    help: &["add <name> [...]\tActivates any updates in config for process/group"],
    extensions: &[],
    completes: Completion::Groups,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    words(rest).into_iter().try_for_each(|name| add(session, name))?;
    Ok(Flow::Next)
}

fn add(session: &mut Session, name: &str) -> Result<(), CtlError> {
    match session.call("supervisor.addProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.print_sanitized(&format!("{name}: added process group")),
        Err(error) if error.is_fault(FaultKind::ShutdownState) => {
            session.fail(exit_status::GENERIC, "ERROR: shutting down");
        }
        Err(error) if error.is_fault(FaultKind::AlreadyAdded) => {
            session.print("ERROR: process group already active");
        }
        Err(error) if error.is_fault(FaultKind::BadName) => {
            session.fail(exit_status::GENERIC, &format!("ERROR: no such process/group: {name}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
