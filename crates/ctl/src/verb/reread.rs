//! `reread`: has supervisord read its configuration again, and prints what would change.

use std::collections::BTreeMap;

use ironlance_rpc::{FaultKind, Value};

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{list, unexpected_answer};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, check_no_arguments};

pub(super) const VERB: Verb = Verb {
    name: "reread",
    help: &["reread \t\t\tReload the daemon's configuration files without add/remove"],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

/// The method that reads the configuration again.
pub(super) const METHOD: &str = "supervisor.reloadConfig";

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    if !check_no_arguments(session, &VERB, rest) {
        return Ok(Flow::Next);
    }
    let answer = match session.call(METHOD, &[]) {
        Ok(answer) => answer,
        Err(error) => return report_refusal(session, error),
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
    Ok(Flow::Next)
}

fn report_refusal(session: &mut Session, error: CtlError) -> Result<Flow, CtlError> {
    let known = [FaultKind::ShutdownState, FaultKind::CantReread].into_iter();
    let line = match known.into_iter().find(|kind| error.is_fault(*kind)) {
        Some(FaultKind::ShutdownState) => "ERROR: supervisor shutting down".to_owned(),
        Some(_) => format!("ERROR: {}", error.fault().map_or("", |fault| &fault.string)),
        None => return Err(error),
    };
    session.fail(exit_status::GENERIC, &line);
    Ok(Flow::Next)
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
