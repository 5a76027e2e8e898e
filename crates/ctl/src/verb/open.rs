//! `open`: turns to another supervisord.

use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::verb::status as status_verb;
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "open",
    help: &[
        "open <url>\tConnect to a remote supervisord process.",
        "\t\t(for UNIX domain socket, use unix:///socket/path)",
    ],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, url: &str) -> Result<Flow, Trouble> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("unix" | "http")) {
        session.refuse(status::GENERIC, "ERROR: url must be http:// or unix://");
        return Ok(Flow::Next);
    }
    url.clone_into(&mut session.options.serverurl);
    session.hang_up();
    let before = session.status;
    status_verb::show(session, "")?;
    session.status = before;
    Ok(Flow::Next)
}
