//! `open`: switches to another supervisord.

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::Verb;
use crate::verb::status;

pub(super) const VERB: Verb = Verb {
    name: "open",
    help: &[
        "open <url>\tConnect to a remote supervisord process.",
        "\t\t(for UNIX domain socket, use unix:///socket/path)",
    ],
    run,
    ..Verb::ORIGINAL
};

fn run(session: &mut Session, url: &str) -> Result<(), CtlError> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("unix" | "http")) {
        session.fail(exit_status::GENERIC, "ERROR: url must be http:// or unix://");
        return Ok(());
    }
    url.clone_into(&mut session.options.serverurl);
    session.disconnect();
    let before = session.status;
    status::run(session, "")?;
    session.status = before;
    Ok(())
}
