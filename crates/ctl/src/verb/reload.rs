//! `reload`: restarts supervisord.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{Verb, confirm};

pub(super) const VERB: Verb =
    Verb { name: "reload", help: &["reload \t\tRestart the remote supervisord."], run, ..Verb::ORIGINAL };

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let question = "Really restart the remote supervisord process y/N? ";
    if !confirm(session, &VERB, rest, question)? {
        return Ok(());
    }
    match session.call("supervisor.restart", &[]) {
        Ok(_) => session.print("Restarted supervisord"),
        Err(error) => {
            let refused = format!("ERROR: not restarted, nothing was stopped: {}", error.fault_text());
            let stopping = (FaultKind::ShutdownState, "ERROR: already shutting down");
            session.fail_by_fault(error, &[stopping, (FaultKind::CantReread, &refused)])?;
        }
    }
    Ok(())
}
