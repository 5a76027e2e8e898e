//! `reload`: restarts supervisord.

use ironlance_rpc::FaultKind;

use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, is_meant};

pub(super) const VERB: Verb = Verb {
    name: "reload",
    help: &["reload \t\tRestart the remote supervisord."],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let question = "Really restart the remote supervisord process y/N? ";
    if !is_meant(session, &VERB, rest, question)? {
        return Ok(Flow::Next);
    }
    match session.call("supervisor.restart", &[]) {
        Ok(_) => session.say("Restarted supervisord"),
        Err(trouble) if is_fault(&trouble, FaultKind::ShutdownState) => {
            session.refuse(status::GENERIC, "ERROR: already shutting down");
        }
        Err(trouble) if is_fault(&trouble, FaultKind::CantReread) => {
            let why = trouble.fault().map_or("", |fault| &fault.string);
            session.refuse(status::GENERIC, &format!("ERROR: not restarted, nothing was stopped: {why}"));
        }
        Err(trouble) => return Err(trouble),
    }
    Ok(Flow::Next)
}
