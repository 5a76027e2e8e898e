//! `quit`, `exit`, and the end of input: end the shell.

use crate::error::CtlError;
use crate::session::Session;
use crate::verb::api::{HelpGroup, Verb};

pub(super) const QUIT: Verb = Verb {
    name: "quit",
    help: &["quit\tExit the supervisor shell."],
    ends_shell: true,
    run,
    ..Verb::ORIGINAL
};

pub(super) const EXIT: Verb = Verb { name: "exit", help: &["exit\tExit the supervisor shell."], ..QUIT };

/// The verb that the end of input runs.
pub(super) const END_OF_INPUT: Verb =
    Verb { name: "EOF", help: &[], help_group: HelpGroup::Unlisted, ..QUIT };

fn run(session: &mut Session, _rest: &str) -> Result<(), CtlError> {
    session.print("");
    Ok(())
}
