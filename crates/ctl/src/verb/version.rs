//! `version`: which Supervisor answers.

use crate::record::text;
use crate::session::Session;
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, takes_nothing};

pub(super) const VERB: Verb = Verb {
    name: "version",
    help: &["version\t\t\tShow the version of the remote supervisord process"],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

const METHOD: &str = "supervisor.getSupervisorVersion";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if takes_nothing(session, &VERB, rest) && session.is_up()? {
        let version = session.call(METHOD, &[])?;
        session.say(&text(METHOD, version)?);
    }
    Ok(Flow::Next)
}
