//! `maintail`: prints the end of supervisord's own log, or follows it.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::log_stream::{self, LogPage};
use crate::session::{Session, exit_status};
use crate::struct_view::text;
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, print_help};
use crate::verb::tail::{DEFAULT_BYTES, Extent, offset};

pub(super) const VERB: Verb = Verb {
    name: "maintail",
    help: &[
        "maintail -f \tContinuous tail of supervisor main log file (Ctrl-C to exit)",
        "maintail -100\tlast 100 *bytes* of supervisord main log file",
        "maintail\tlast 1600 *bytes* of supervisor main log file",
        "",
    ],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: true,
    run,
};

const METHOD: &str = "supervisor.readLog";

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let extent = match words(rest).as_slice() {
        [] => Some(Extent::Last(DEFAULT_BYTES)),
        [one] => Extent::of(one),
        _ => {
            session.fail(exit_status::GENERIC, "Error: too many arguments");
            print_help(session, &VERB);
            return Ok(Flow::Next);
        }
    };
    match extent {
        None => session.fail(exit_status::GENERIC, &format!("Error: bad argument {rest}")),
        Some(Extent::Follow) => log_stream::follow(session, &LogPage::MainLog)?,
        Some(Extent::Last(bytes)) => last(session, bytes)?,
    }
    Ok(Flow::Next)
}

fn last(session: &mut Session, bytes: i64) -> Result<(), CtlError> {
    let error = match session.call(METHOD, &[offset(bytes)?, Value::Int(0)]) {
        Ok(output) => {
            session.print(&text(METHOD, output)?);
            return Ok(());
        }
        Err(error) => error,
    };
    let words = [(FaultKind::NoFile, "no log file"), (FaultKind::Failed, "unknown error reading log")];
    let Some((_, words)) = words.into_iter().find(|(kind, _)| error.is_fault(*kind)) else {
        return Err(error);
    };
    session.fail(exit_status::GENERIC, &format!("supervisord: ERROR ({words})"));
    Ok(())
}
