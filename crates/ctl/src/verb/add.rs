//! `add`: activates groups of the configuration that was read last.

use ironlance_rpc::{FaultKind, Value};

use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "add",
    help: &["add <name> [...]\tActivates any updates in config for process/group"],
    ours: &[],
    completes: Completes::Groups,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    words(rest).into_iter().try_for_each(|name| add(session, name))?;
    Ok(Flow::Next)
}

fn add(session: &mut Session, name: &str) -> Result<(), Trouble> {
    match session.call("supervisor.addProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.tell(&format!("{name}: added process group")),
        Err(trouble) if is_fault(&trouble, FaultKind::ShutdownState) => {
            session.refuse(status::GENERIC, "ERROR: shutting down");
        }
        Err(trouble) if is_fault(&trouble, FaultKind::AlreadyAdded) => {
            session.say("ERROR: process group already active");
        }
        Err(trouble) if is_fault(&trouble, FaultKind::BadName) => {
            session.refuse(status::GENERIC, &format!("ERROR: no such process/group: {name}"));
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}
