//! `shutdown`: shuts supervisord down.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Verb, confirm};

pub(super) const VERB: Verb =
    Verb { name: "shutdown", help: &["shutdown \tShut the remote supervisord down."], run, ..Verb::ORIGINAL };

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let question = "Really shut the remote supervisord process down y/N? ";
    if !confirm(session, &VERB, rest, question)? {
        return Ok(());
    }
    match session.call("supervisor.shutdown", &[]) {
        Ok(_) => session.print("Shut down"),
        Err(error) if error.is_fault(FaultKind::ShutdownState) => {
            session.print("ERROR: already shutting down");
        }
        Err(error) => {
            let Some(absence) = error.connect_failure() else { return Err(error) };
            let (url, absence) = (&session.options.serverurl, absence.description());
            let line = format!("ERROR: {url} {absence} (already shut down?)");
            session.fail(exit_status::GENERIC, &line);
        }
    }
    Ok(())
}
