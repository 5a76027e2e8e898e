//! `avail`: what the configuration has.

use ironlance_rpc::FaultKind;

use crate::record::{Record, namespec, records};
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, takes_nothing};

pub(super) const VERB: Verb = Verb {
    name: "avail",
    help: &["avail\t\t\tDisplay all configured processes"],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

const METHOD: &str = "supervisor.getAllConfigInfo";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !takes_nothing(session, &VERB, rest) {
        return Ok(Flow::Next);
    }
    match session.call(METHOD, &[]) {
        Err(trouble) if is_fault(&trouble, FaultKind::ShutdownState) => {
            session.refuse(status::GENERIC, "ERROR: supervisor shutting down");
        }
        other => {
            for info in records(METHOD, &other?)? {
                let line = line(info)?;
                session.tell(&line);
            }
        }
    }
    Ok(Flow::Next)
}

fn line(info: Record<'_>) -> Result<String, Trouble> {
    let name = namespec(info.text("group")?, info.text("name")?);
    let inuse = if info.truth("inuse")? { "in use" } else { "avail" };
    let autostart = if info.truth("autostart")? { "auto" } else { "manual" };
    let (group, process) = (info.int("group_prio")?, info.int("process_prio")?);
    Ok(format!("{name:<32} {inuse:<9} {autostart:<9} {group}:{process}"))
}
