//! `restart`: stops the named processes, then starts them.

use ironlance_core::Namespec;
use ironlance_rpc::ProcessInfo;

use crate::error::CtlError;
use crate::selector;
use crate::session::{Session, exit_status};
use crate::verb::api::{Completion, Verb};
use crate::verb::bulk_action;
use crate::verb::bulk_action::parallel_calls::AnswerWait;
use crate::verb::bulk_action::progress::Direction;
use crate::verb::start::START;
use crate::verb::stop::STOP;

pub(super) const VERB: Verb = Verb {
    name: "restart",
    help: &[
        "restart <name>\t\tRestart a process",
        "restart <gname>:*\tRestart all processes in a group",
        "restart <name> <name>\tRestart multiple processes or groups",
        "restart all\t\tRestart all processes",
        "Note: restart does not reread config files. For that, see reread and update.",
    ],
    extensions: &[
        "--timeout <seconds>\tWait at most so long for each process to stop, and to start",
        "--no-wait\t\tWait for the stop only, then say 'starting' at once",
        "--wait\t\t\tWait until they are up; so it is without options",
        "restart web*\t\tRestart what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let Some((names, answer_wait)) = bulk_action::parse_arguments(session, &VERB, rest, exit_status::GENERIC)
    else {
        return Ok(());
    };
    // A running process cannot be started, so the stop is always waited for.
    let stopping = if answer_wait == AnswerWait::NoWait { AnswerWait::UntilDone } else { answer_wait };
    let overdue = STOP.run_in_parallel(session, Direction::Stopping, &names, stopping)?;
    if overdue.is_empty() {
        START.run_in_parallel(session, Direction::Starting, &names, answer_wait)?;
        return Ok(());
    }
    let all: Vec<Namespec> = session.all_process_info_soon()?.iter().map(ProcessInfo::namespec).collect();
    let stopped = selector::without(&names, &overdue, &all);
    let stopped: Vec<&str> = stopped.iter().map(String::as_str).collect();
    if !stopped.is_empty() {
        START.run_in_parallel(session, Direction::Starting, &stopped, answer_wait)?;
    }
    Ok(())
}
