//! `update`: lets supervisord read its configuration again, and makes the groups what it says.

use std::collections::BTreeSet;

use ironlance_rpc::{FaultKind, Value};

use crate::record::records;
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::reread::{self, Changes};
use crate::verb::{Completes, Flow, Shelf, Verb};

pub(super) const VERB: Verb = Verb {
    name: "update",
    help: &[
        "update\t\t\tReload config and add/remove as necessary, and will restart affected programs",
        "update all\t\tReload config and add/remove as necessary, and will restart affected programs",
        "update <gname> [...]\tUpdate specific groups",
    ],
    ours: &[],
    completes: Completes::Groups,
    shelf: Shelf::Original,
    run,
};

const INFOS: &str = "supervisor.getAllProcessInfo";
const STOP: &str = "supervisor.stopProcessGroup";
const REMOVE: &str = "supervisor.removeProcessGroup";
const ADD: &str = "supervisor.addProcessGroup";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let answer = match session.call(reread::METHOD, &[]) {
        Err(trouble) if is_fault(&trouble, FaultKind::ShutdownState) => {
            session.refuse(status::GENERIC, "ERROR: already shutting down");
            return Ok(Flow::Next);
        }
        other => other?,
    };
    let changes = Changes::read(&answer)?;
    let wanted = Wanted::of(rest);
    wanted.check(session, &changes)?;
    for group in changes.removed.iter().filter(|group| wanted.has(group)) {
        remove(session, group)?;
    }
    for group in changes.changed.iter().filter(|group| wanted.has(group)) {
        ask(session, STOP, group)?;
        session.tell(&format!("{group}: stopped"));
        ask(session, REMOVE, group)?;
        ask(session, ADD, group)?;
        session.tell(&format!("{group}: updated process group"));
    }
    for group in changes.added.iter().filter(|group| wanted.has(group)) {
        ask(session, ADD, group)?;
        session.tell(&format!("{group}: added process group"));
    }
    Ok(Flow::Next)
}

/// The groups to update; none named means every one.
struct Wanted<'n>(BTreeSet<&'n str>);

impl<'n> Wanted<'n> {
    fn of(rest: &'n str) -> Self {
        let names = words(rest);
        Self(if names.contains(&"all") { BTreeSet::new() } else { names.into_iter().collect() })
    }

    fn has(&self, group: &str) -> bool {
        self.0.is_empty() || self.0.contains(group)
    }

    /// Says which of the names are no group, neither now nor in the new configuration.
    fn check(&self, session: &mut Session, changes: &Changes<'_>) -> Result<(), Trouble> {
        if self.0.is_empty() {
            return Ok(());
        }
        let infos = session.call(INFOS, &[])?;
        let known: Result<BTreeSet<&str>, Trouble> =
            records(INFOS, &infos)?.into_iter().map(|info| info.text("group")).collect();
        let known = known?;
        for group in self.0.iter().filter(|group| !known.contains(**group) && !changes.added.contains(group))
        {
            session.refuse(status::GENERIC, &format!("ERROR: no such group: {group}"));
        }
        Ok(())
    }
}

fn remove(session: &mut Session, group: &str) -> Result<(), Trouble> {
    let results = ask(session, STOP, group)?;
    session.tell(&format!("{group}: stopped"));
    let mut has_failed = false;
    for result in records(STOP, &results)? {
        has_failed |= result.int("status")? == FaultKind::Failed.code();
    }
    if has_failed {
        session.refuse(status::GENERIC, &format!("{group}: has problems; not removing"));
        return Ok(());
    }
    ask(session, REMOVE, group)?;
    session.tell(&format!("{group}: removed process group"));
    Ok(())
}

fn ask(session: &mut Session, method: &str, group: &str) -> Result<Value, Trouble> {
    session.call(method, &[Value::from(group)])
}
