//! `pid`: the process ids of supervisord and of its programs.

use ironlance_rpc::{FaultKind, Value};

use crate::record::{Record, lacking, records};
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "pid",
    help: &[
        "pid\t\t\tGet the PID of supervisord.",
        "pid <name>\t\tGet the PID of a single child process by name.",
        "pid all\t\t\tGet the PID of every child process, one per line.",
    ],
    ours: &[],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

const OWN: &str = "supervisor.getPID";
const ALL: &str = "supervisor.getAllProcessInfo";
const ONE: &str = "supervisor.getProcessInfo";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    let names = words(rest);
    if names.is_empty() {
        let pid = session.call(OWN, &[])?;
        let pid = pid.as_int().ok_or_else(|| lacking(OWN, "the number"))?;
        session.say(&pid.to_string());
    } else if names.contains(&"all") {
        let all = session.call(ALL, &[])?;
        for info in records(ALL, &all)? {
            session.say(&info.int("pid")?.to_string());
        }
    } else {
        names.into_iter().try_for_each(|name| one(session, name))?;
    }
    Ok(Flow::Next)
}

fn one(session: &mut Session, name: &str) -> Result<(), Trouble> {
    let info = match session.call(ONE, &[Value::from(name)]) {
        Err(trouble) if is_fault(&trouble, FaultKind::BadName) => {
            session.refuse(status::GENERIC, &format!("No such process {name}"));
            session.suggest(name);
            return Ok(());
        }
        other => other?,
    };
    let pid = Record::new(ONE, &info).int("pid")?;
    session.say(&pid.to_string());
    if pid == 0 {
        session.status = status::NOT_RUNNING;
    }
    Ok(())
}
