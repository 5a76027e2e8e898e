//! `shutdown`: shuts supervisord down.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, confirm};

pub(super) const VERB: Verb = Verb {
    name: "shutdown",
    help: &["shutdown \tShut the remote supervisord down."],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let question = "Really shut the remote supervisord process down y/N? ";
    if !confirm(session, &VERB, rest, question)? {
        return Ok(Flow::Next);
    }
    let error = match session.call("supervisor.shutdown", &[]) {
        Ok(_) => {
            session.print("Shut down");
            return Ok(Flow::Next);
        }
        Err(error) => error,
    };
    if error.is_fault(FaultKind::ShutdownState) {
        session.print("ERROR: already shutting down");
        return Ok(Flow::Next);
    }
    let Some(absence) = error.connect_failure() else { return Err(error) };
    let line = format!("ERROR: {} {} (already shut down?)", session.options.serverurl, absence.description());
    session.fail(exit_status::GENERIC, &line);
    Ok(Flow::Next)
}
