//! Running a line: finds the verb, retries after authentication, prints errors.

use ironlance_core::text::escape::one_line;

use crate::command_line::{CommandLine, parse};
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::terminal::prompt;
use crate::verb::api::Flow;
use crate::verb::table::find;

/// Runs a line. Errors are printed and set the session's exit status.
pub(crate) fn execute(session: &mut Session, line: &str) -> Flow {
    let (name, rest, line) = match parse(line) {
        CommandLine::Empty => return Flow::Next,
        CommandLine::Unknown(line) => return report_unknown(session, line),
        CommandLine::Verb { name, rest, line } => (name, rest, line),
    };
    let Some(verb) = find(name) else { return report_unknown(session, line) };
    loop {
        let error = match verb.execute(session, rest) {
            Ok(flow) => return flow,
            Err(error) => error,
        };
        if !error.wants_authentication() {
            return report_error(session, &error);
        }
        session.fail(exit_status::GENERIC, "Server requires authentication");
        if !session.options.interactive {
            return Flow::Next;
        }
        if let Err(error) = prompt::ask_credentials(session) {
            return report_error(session, &error);
        }
    }
}

fn report_unknown(session: &mut Session, line: &str) -> Flow {
    session.fail(exit_status::GENERIC, &format!("*** Unknown syntax: {line}"));
    Flow::Next
}

fn report_error(session: &mut Session, error: &CtlError) -> Flow {
    if matches!(error, CtlError::Interrupted) {
        return Flow::End;
    }
    session.fail(exit_status::GENERIC, &format!("error: {}", one_line(&error.to_string())));
    Flow::Next
}
