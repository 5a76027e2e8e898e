//! `remove`: takes stopped groups out of the active configuration.

use ironlance_rpc::{FaultKind, Value};

use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "remove",
    help: &["remove <name> [...]\tRemoves process/group from active config"],
    ours: &[],
    completes: Completes::Groups,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    words(rest).into_iter().try_for_each(|name| remove(session, name))?;
    Ok(Flow::Next)
}

fn remove(session: &mut Session, name: &str) -> Result<(), Trouble> {
    match session.call("supervisor.removeProcessGroup", &[Value::from(name)]) {
        Ok(_) => session.tell(&format!("{name}: removed process group")),
        Err(trouble) if is_fault(&trouble, FaultKind::StillRunning) => {
            session.refuse(status::GENERIC, &format!("ERROR: process/group still running: {name}"));
        }
        Err(trouble) if is_fault(&trouble, FaultKind::BadName) => {
            session.refuse(status::GENERIC, &format!("ERROR: no such process/group: {name}"));
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(())
}
