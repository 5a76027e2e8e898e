//! `reread`: has supervisord read its configuration again, and prints what would change.

use std::collections::BTreeMap;

use ironlance_rpc::{FaultKind, Value};

use crate::error::CtlError;
use crate::session::{SHUTTING_DOWN, Session};
use crate::struct_view::{list, unexpected_answer};
use crate::verb::api::{Verb, check_no_arguments};

pub(super) const VERB: Verb = Verb {
    name: "reread",
    help: &["reread \t\t\tReload the daemon's configuration files without add/remove"],
    run,
    ..Verb::ORIGINAL
};

/// The method that reads the configuration again.
pub(super) const METHOD: &str = "supervisor.reloadConfig";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if !check_no_arguments(session, &VERB, rest) {
        return Ok(());
    }
    let answer = match session.call(METHOD, &[]) {
        Ok(answer) => answer,
        Err(error) => {
            let refused = format!("ERROR: {}", error.fault_text());
            return session.fail_by_fault(error, &[SHUTTING_DOWN, (FaultKind::CantReread, &refused)]);
        }
    };
    let changes = ConfigChanges::read(&answer)?;
    let what: BTreeMap<&str, &str> =
        [(&changes.added, "available"), (&changes.changed, "changed"), (&changes.removed, "disappeared")]
            .into_iter()
            .flat_map(|(names, what)| names.iter().map(move |name| (*name, what)))
            .collect();
    if what.is_empty() {
        session.print("No config updates to processes");
    }
    what.iter().for_each(|(name, what)| session.print_sanitized(&format!("{name}: {what}")));
    Ok(())
}

/// The groups that differ between the active and the new configuration.
#[derive(Debug)]
pub(super) struct ConfigChanges<'v> {
    /// New groups.
    pub(super) added: Vec<&'v str>,
    /// Groups with other settings.
    pub(super) changed: Vec<&'v str>,
    /// Groups that are no longer configured.
    pub(super) removed: Vec<&'v str>,
}

impl<'v> ConfigChanges<'v> {
    /// Reads `[[added, changed, removed]]`.
    pub(super) fn read(answer: &'v Value) -> Result<Self, CtlError> {
        let first = list(METHOD, answer)?.first().ok_or_else(|| unexpected_answer(METHOD, "the list"))?;
        let [added, changed, removed] = list(METHOD, first)? else {
            return Err(unexpected_answer(METHOD, "one of three lists"));
        };
        Ok(Self { added: names(added)?, changed: names(changed)?, removed: names(removed)? })
    }
}

fn names(names: &Value) -> Result<Vec<&str>, CtlError> {
    let names = list(METHOD, names)?.iter();
    names.map(|name| name.as_str().ok_or_else(|| unexpected_answer(METHOD, "a name"))).collect()
}
