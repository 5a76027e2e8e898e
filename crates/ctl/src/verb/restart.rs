//! `restart`: stops everything that is named, then starts it.

use ironlance_core::Namespec;
use ironlance_rpc::ProcessInfo;

use crate::pattern;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, acting, start, stop};
use crate::wait::Patience;

pub(super) const VERB: Verb = Verb {
    name: "restart",
    help: &[
        "restart <name>\t\tRestart a process",
        "restart <gname>:*\tRestart all processes in a group",
        "restart <name> <name>\tRestart multiple processes or groups",
        "restart all\t\tRestart all processes",
        "Note: restart does not reread config files. For that, see reread and update.",
    ],
    ours: &[
        "--timeout <seconds>\tWait at most so long for each process to stop, and to start",
        "--no-wait\t\tWait for the stop only, then say 'starting' at once",
        "--wait\t\t\tWait until they are up; so it is without options",
        "restart web*\t\tRestart what fits (*, ?, [a-z], [!a-z]; quoted in a shell)",
    ],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let Some((names, patience)) = acting::named(session, &VERB, rest, status::GENERIC)? else {
        return Ok(Flow::Next);
    };
    // What still runs cannot be started: stopping is waited for in any case.
    let stopping = if patience == Patience::Nothing { Patience::Forever } else { patience };
    let late = stop::stop(session, &names, stopping)?;
    if late.is_empty() {
        start::start(session, &names, patience)?;
        return Ok(Flow::Next);
    }
    let all: Vec<Namespec> = session.all_process_info()?.iter().map(ProcessInfo::namespec).collect();
    let stopped = pattern::without(&names, &late, &all);
    let stopped: Vec<&str> = stopped.iter().map(String::as_str).collect();
    if !stopped.is_empty() {
        start::start(session, &stopped, patience)?;
    }
    Ok(Flow::Next)
}
