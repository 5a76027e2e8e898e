//! `reload`: restarts supervisord.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, confirm};

pub(super) const VERB: Verb = Verb {
    name: "reload",
    help: &["reload \t\tRestart the remote supervisord."],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let question = "Really restart the remote supervisord process y/N? ";
    if !confirm(session, &VERB, rest, question)? {
        return Ok(Flow::Next);
    }
    match session.call("supervisor.restart", &[]) {
        Ok(_) => session.print("Restarted supervisord"),
        Err(error) if error.is_fault(FaultKind::ShutdownState) => {
            session.fail(exit_status::GENERIC, "ERROR: already shutting down");
        }
        Err(error) if error.is_fault(FaultKind::CantReread) => {
            let why = error.fault().map_or("", |fault| &fault.string);
            session.fail(exit_status::GENERIC, &format!("ERROR: not restarted, nothing was stopped: {why}"));
        }
        Err(error) => return Err(error),
    }
    Ok(Flow::Next)
}
