//! `shutdown`: ends supervisord.

use ironlance_rpc::FaultKind;

use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, is_meant};

pub(super) const VERB: Verb = Verb {
    name: "shutdown",
    help: &["shutdown \tShut the remote supervisord down."],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let question = "Really shut the remote supervisord process down y/N? ";
    if !is_meant(session, &VERB, rest, question)? {
        return Ok(Flow::Next);
    }
    let trouble = match session.call("supervisor.shutdown", &[]) {
        Ok(_) => {
            session.say("Shut down");
            return Ok(Flow::Next);
        }
        Err(trouble) => trouble,
    };
    if is_fault(&trouble, FaultKind::ShutdownState) {
        session.say("ERROR: already shutting down");
        return Ok(Flow::Next);
    }
    let Some(absence) = trouble.absence() else { return Err(trouble) };
    let line = format!("ERROR: {} {} (already shut down?)", session.options.serverurl, absence.words());
    session.refuse(status::GENERIC, &line);
    Ok(Flow::Next)
}
