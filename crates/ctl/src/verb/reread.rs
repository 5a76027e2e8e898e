//! `reread`: lets supervisord read its configuration again, and tells what would change.

use std::collections::BTreeMap;

use ironlance_rpc::{FaultKind, Value};

use crate::record::{lacking, list};
use crate::session::{Session, is_fault, status};
use crate::trouble::Trouble;
use crate::verb::{Completes, Flow, Shelf, Verb, takes_nothing};

pub(super) const VERB: Verb = Verb {
    name: "reread",
    help: &["reread \t\t\tReload the daemon's configuration files without add/remove"],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

/// The method that reads the configuration again.
pub(super) const METHOD: &str = "supervisor.reloadConfig";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !takes_nothing(session, &VERB, rest) {
        return Ok(Flow::Next);
    }
    let answer = match session.call(METHOD, &[]) {
        Ok(answer) => answer,
        Err(trouble) => return refused(session, trouble),
    };
    let changes = Changes::read(&answer)?;
    let what: BTreeMap<&str, &str> =
        [(&changes.added, "available"), (&changes.changed, "changed"), (&changes.removed, "disappeared")]
            .into_iter()
            .flat_map(|(names, what)| names.iter().map(move |name| (*name, what)))
            .collect();
    if what.is_empty() {
        session.say("No config updates to processes");
    }
    what.iter().for_each(|(name, what)| session.tell(&format!("{name}: {what}")));
    Ok(Flow::Next)
}

fn refused(session: &mut Session, trouble: Trouble) -> Result<Flow, Trouble> {
    let known = [FaultKind::ShutdownState, FaultKind::CantReread].into_iter();
    let line = match known.into_iter().find(|kind| is_fault(&trouble, *kind)) {
        Some(FaultKind::ShutdownState) => "ERROR: supervisor shutting down".to_owned(),
        Some(_) => format!("ERROR: {}", trouble.fault().map_or("", |fault| &fault.string)),
        None => return Err(trouble),
    };
    session.refuse(status::GENERIC, &line);
    Ok(Flow::Next)
}

/// The groups that differ between what runs and what was read.
#[derive(Debug)]
pub(super) struct Changes<'v> {
    /// New ones.
    pub(super) added: Vec<&'v str>,
    /// Ones with other settings.
    pub(super) changed: Vec<&'v str>,
    /// Ones that are no longer there.
    pub(super) removed: Vec<&'v str>,
}

impl<'v> Changes<'v> {
    /// Reads `[[added, changed, removed]]`.
    pub(super) fn read(answer: &'v Value) -> Result<Self, Trouble> {
        let first = list(METHOD, answer)?.first().ok_or_else(|| lacking(METHOD, "the list"))?;
        let [added, changed, removed] = list(METHOD, first)? else {
            return Err(lacking(METHOD, "one of three lists"));
        };
        Ok(Self { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
    }
}

fn names(names: &Value) -> Result<Vec<&str>, Trouble> {
    let names = list(METHOD, names)?.iter();
    names.map(|name| name.as_str().ok_or_else(|| lacking(METHOD, "a name"))).collect()
}
