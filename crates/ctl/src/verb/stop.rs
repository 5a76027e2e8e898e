//! `stop`: stops processes and waits until they are gone.

use ironlance_rpc::FaultKind;

use crate::progress::Direction;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::verb::acting::{self, Act, Words};
use crate::verb::{Completes, Flow, Shelf, Verb};
use crate::wait::Patience;

pub(super) const VERB: Verb = Verb {
    name: "stop",
    help: &[
        "stop <name>\t\tStop a process",
        "stop <gname>:*\t\tStop all processes in a group",
        "stop <name> <name>\tStop multiple processes or groups",
        "stop all\t\tStop all processes",
    ],
    ours: &[
        "--timeout <seconds>\tWait at most so long for each process; it goes on stopping",
        "--no-wait\t\tSay 'stopping' at once",
        "--wait\t\t\tWait until they are gone; so it is without options",
        "stop web*\t\tStop what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

/// What can be said against stopping or signalling a process.
pub(super) const REFUSALS: &[(FaultKind, Words)] = &[
    (FaultKind::BadName, Words::Ours),
    (FaultKind::BadSignal, Words::Ours),
    (FaultKind::NotRunning, Words::Ours),
    (FaultKind::Failed, Words::Server),
];

const ACT: Act = Act {
    all: "supervisor.stopAllProcesses",
    group: "supervisor.stopProcessGroup",
    one: "supervisor.stopProcess",
    done: "stopped",
    refusals: REFUSALS,
    ignored: Some(FaultKind::NotRunning),
    no_group: status::GENERIC,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if let Some((names, patience)) = acting::named(session, &VERB, rest, status::GENERIC)? {
        stop(session, &names, patience)?;
    }
    Ok(Flow::Next)
}

/// Stops what is named. Gives the processes whose time ran out.
pub(super) fn stop(
    session: &mut Session,
    names: &[&str],
    patience: Patience,
) -> Result<Vec<String>, Trouble> {
    ACT.run_together(session, Direction::Stopping, names, patience)
}
