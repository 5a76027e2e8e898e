//! `maintail`: prints the end of supervisord's own log, or follows it.

use ironlance_rpc::Value;

use crate::command_line::words;
use crate::error::CtlError;
use crate::log_stream::{self, MAIN_LOG};
use crate::session::{Session, exit_status};
use crate::verb::api::{Verb, refuse};
use crate::verb::tail::{DEFAULT_BYTES, Extent, offset, print_last};

pub(super) const VERB: Verb = Verb {
    name: "maintail",
    help: &[
        "maintail -f \tContinuous tail of supervisor main log file (Ctrl-C to exit)",
        "maintail -100\tlast 100 *bytes* of supervisord main log file",
        "maintail\tlast 1600 *bytes* of supervisor main log file",
        "",
    ],
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

const METHOD: &str = "supervisor.readLog";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let extent = match words(rest).as_slice() {
        [] => Some(Extent::Last(DEFAULT_BYTES)),
        [one] => Extent::of(one),
        _ => {
            refuse(session, &VERB, exit_status::GENERIC, "Error: too many arguments");
            return Ok(());
        }
    };
    match extent {
        None => {
            session.fail(exit_status::GENERIC, &format!("Error: bad argument {rest}"));
            Ok(())
        }
        Some(Extent::Follow) => log_stream::follow(session, MAIN_LOG),
        Some(Extent::Last(bytes)) => {
            print_last(session, METHOD, &[offset(bytes)?, Value::Int(0)], "supervisord")
        }
    }
}
