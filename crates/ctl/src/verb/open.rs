//! `open`: switches to another supervisord.

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};
use crate::verb::status;

pub(super) const VERB: Verb = Verb {
    name: "open",
    help: &[
        "open <url>\tConnect to a remote supervisord process.",
        "\t\t(for UNIX domain socket, use unix:///socket/path)",
    ],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

fn run(session: &mut Session, url: &str) -> Result<Flow, CtlError> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("unix" | "http")) {
        session.fail(exit_status::GENERIC, "ERROR: url must be http:// or unix://");
        return Ok(Flow::Next);
    }
    url.clone_into(&mut session.options.serverurl);
    session.disconnect();
    let before = session.status;
    status::show(session, "")?;
    session.status = before;
    Ok(Flow::Next)
}
