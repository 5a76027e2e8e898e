//! `quit`, `exit`, and the end of input: end the shell.

use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};

pub(super) const QUIT: Verb = Verb {
    name: "quit",
    help: &["quit\tExit the supervisor shell."],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

pub(super) const EXIT: Verb = Verb { name: "exit", help: &["exit\tExit the supervisor shell."], ..QUIT };

/// The verb that the end of input runs.
pub(super) const END_OF_INPUT: Verb =
    Verb { name: "EOF", help: &[], help_group: HelpGroup::Unlisted, ..QUIT };

#[expect(clippy::unnecessary_wraps, reason = "every verb may fail")]
fn run(session: &mut Session, _rest: &str) -> Result<Flow, CtlError> {
    session.print("");
    Ok(Flow::End)
}
