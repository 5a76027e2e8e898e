//! `start`: starts processes and waits until they are RUNNING.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb};
use crate::verb::bulk_action::progress::Direction;
use crate::verb::bulk_action::{self, BulkAction};

pub(super) const VERB: Verb = Verb {
    name: "start",
    help: &[
        "start <name>\t\tStart a process",
        "start <gname>:*\t\tStart all processes in a group",
        "start <name> <name>\tStart multiple processes or groups",
        "start all\t\tStart all processes",
    ],
    extensions: &[
        "--timeout <seconds>\tWait at most so long for each process; it goes on starting",
        "--no-wait\t\tSay 'starting' at once",
        "--wait\t\t\tWait until they are up; so it is without options",
        "start web*\t\tStart what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

pub(super) const START: BulkAction = BulkAction {
    all_method: "supervisor.startAllProcesses",
    group_method: "supervisor.startProcessGroup",
    process_method: "supervisor.startProcess",
    success_text: "started",
    refusals: &[
        FaultKind::BadName,
        FaultKind::NoFile,
        FaultKind::NotExecutable,
        FaultKind::AlreadyStarted,
        FaultKind::SpawnError,
        FaultKind::AbnormalTermination,
        FaultKind::Failed,
    ],
    ignored_fault: Some(FaultKind::AlreadyStarted),
    no_group_status: exit_status::INVALID_ARGS,
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if let Some((names, answer_wait)) =
        bulk_action::parse_arguments(session, &VERB, rest, exit_status::INVALID_ARGS)
    {
        START.run_in_parallel(session, Direction::Starting, &names, answer_wait)?;
    }
    Ok(())
}
