//! `stop`: stops processes and waits until they have exited.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb};
use crate::verb::bulk_action::progress::Direction;
use crate::verb::bulk_action::{self, BulkAction};

pub(super) const VERB: Verb = Verb {
    name: "stop",
    help: &[
        "stop <name>\t\tStop a process",
        "stop <gname>:*\t\tStop all processes in a group",
        "stop <name> <name>\tStop multiple processes or groups",
        "stop all\t\tStop all processes",
    ],
    extensions: &[
        "--timeout <seconds>\tWait at most so long for each process; it goes on stopping",
        "--no-wait\t\tSay 'stopping' at once",
        "--wait\t\t\tWait until they are gone; so it is without options",
        "stop web*\t\tStop what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

/// Faults of stopping or signalling a process.
pub(super) const REFUSALS: &[FaultKind] =
    &[FaultKind::BadName, FaultKind::BadSignal, FaultKind::NotRunning, FaultKind::Failed];

pub(super) const STOP: BulkAction = BulkAction {
    all_method: "supervisor.stopAllProcesses",
    group_method: "supervisor.stopProcessGroup",
    process_method: "supervisor.stopProcess",
    success_text: "stopped",
    refusals: REFUSALS,
    ignored_fault: Some(FaultKind::NotRunning),
    no_group_status: exit_status::GENERIC,
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if let Some((names, answer_wait)) =
        bulk_action::parse_arguments(session, &VERB, rest, exit_status::GENERIC)
    {
        STOP.run_in_parallel(session, Direction::Stopping, &names, answer_wait)?;
    }
    Ok(())
}
