//! `start`: starts processes and waits until they are up.

use ironlance_rpc::FaultKind;

use crate::progress::Direction;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::verb::acting::{self, Act, Words};
use crate::verb::{Completes, Flow, Shelf, Verb};
use crate::wait::Patience;

pub(super) const VERB: Verb = Verb {
    name: "start",
    help: &[
        "start <name>\t\tStart a process",
        "start <gname>:*\t\tStart all processes in a group",
        "start <name> <name>\tStart multiple processes or groups",
        "start all\t\tStart all processes",
    ],
    ours: &[
        "--timeout <seconds>\tWait at most so long for each process; it goes on starting",
        "--no-wait\t\tSay 'starting' at once",
        "--wait\t\t\tWait until they are up; so it is without options",
        "start web*\t\tStart what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

const ACT: Act = Act {
    all: "supervisor.startAllProcesses",
    group: "supervisor.startProcessGroup",
    one: "supervisor.startProcess",
    done: "started",
    refusals: &[
        (FaultKind::BadName, Words::Ours),
        (FaultKind::NoFile, Words::Ours),
        (FaultKind::NotExecutable, Words::Ours),
        (FaultKind::AlreadyStarted, Words::Ours),
        (FaultKind::SpawnError, Words::Ours),
        (FaultKind::AbnormalTermination, Words::Ours),
        (FaultKind::Failed, Words::Server),
    ],
    ignored: Some(FaultKind::AlreadyStarted),
    no_group: status::INVALID_ARGS,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if let Some((names, patience)) = acting::named(session, &VERB, rest, status::INVALID_ARGS)? {
        start(session, &names, patience)?;
    }
    Ok(Flow::Next)
}

/// Starts what is named. Gives the processes whose time ran out.
pub(super) fn start(
    session: &mut Session,
    names: &[&str],
    patience: Patience,
) -> Result<Vec<String>, Trouble> {
    ACT.run_together(session, Direction::Starting, names, patience)
}
