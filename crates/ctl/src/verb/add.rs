//! `add`: activates groups of the configuration that was read last.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, is_fault, status};
use crate::verb::{Completion, Flow, HelpGroup, Verb};

pub(super) const VERB: Verb = Verb {
    name: "add",
    help: &["add <name> [...]\tActivates any updates in config for process/group"],
    extensions: &[],
    completes: Completion::Groups,
    help_group: HelpGroup::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    words(rest).into_iter().try_for_each(|name| add(session, name))?;
    Ok(Flow::Next)
}

fn add(session: &mut Session, name: &str) -> Result<(), CtlError> {
    match session.call("supervisor.addProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.print_sanitized(&format!("{name}: added process group")),
        Err(error) if is_fault(&error, FaultKind::ShutdownState) => {
            session.fail(status::GENERIC, "ERROR: shutting down");
        }
        Err(error) if is_fault(&error, FaultKind::AlreadyAdded) => {
            session.print("ERROR: process group already active");
        }
        Err(error) if is_fault(&error, FaultKind::BadName) => {
            session.fail(status::GENERIC, &format!("ERROR: no such process/group: {name}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
