//! `signal`: sends a signal to processes.

use ironlance_rpc::Value;

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb, refuse};
use crate::verb::bulk_action::BulkAction;
use crate::verb::stop;

pub(super) const VERB: Verb = Verb {
    name: "signal",
    help: &[
        "signal <signal name> <name>\t\tSignal a process",
        "signal <signal name> <gname>:*\t\tSignal all processes in a group",
        "signal <signal name> <name> <name>\tSignal multiple processes or groups",
        "signal <signal name> all\t\tSignal all processes",
    ],
    extensions: &["signal <signal name> web*\t\tSignal what fits (*, ?, [a-z], [!a-z]; quoted in a shell)"],
    completes: Completion::SignalAndProcesses,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

const SIGNAL: BulkAction = BulkAction {
    all_method: "supervisor.signalAllProcesses",
    group_method: "supervisor.signalProcessGroup",
    process_method: "supervisor.signalProcess",
    success_text: "signalled",
    refusals: stop::REFUSALS,
    ignored_fault: None,
    no_group_status: exit_status::GENERIC,
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    match words(rest).as_slice() {
        [signal, names @ ..] if !names.is_empty() => {
            let names = session.resolve(names)?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            SIGNAL.run_in_order(session, &names, &[Value::from(*signal)])?;
        }
        _ => {
            let line = "Error: signal requires a signal name and a process name";
            refuse(session, &VERB, exit_status::GENERIC, line);
        }
    }
    Ok(())
}
