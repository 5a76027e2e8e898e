//! `update`: has supervisord read its configuration again, and applies the changes to groups.

use std::collections::BTreeSet;

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::struct_list;
use crate::verb::api::{Completion, Verb};
use crate::verb::reread::{self, ConfigChanges};

pub(super) const VERB: Verb = Verb {
    name: "update",
    help: &[
        "update\t\t\tReload config and add/remove as necessary, and will restart affected programs",
        "update all\t\tReload config and add/remove as necessary, and will restart affected programs",
        "update <gname> [...]\tUpdate specific groups",
    ],
    completes: Completion::Groups,
    run,
    ..Verb::ORIGINAL
};

const STOP: &str = "supervisor.stopProcessGroup";
const REMOVE: &str = "supervisor.removeProcessGroup";
const ADD: &str = "supervisor.addProcessGroup";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let answer = match session.call(reread::METHOD, &[]) {
        Ok(answer) => answer,
        Err(error) => {
            let stopping = (FaultKind::ShutdownState, "ERROR: already shutting down");
            return session.fail_by_fault(error, &[stopping]);
        }
    };
    let changes = ConfigChanges::read(&answer)?;
    let filter = GroupFilter::parse(rest);
    filter.report_unknown(session, &changes)?;
    for group in changes.removed.iter().filter(|group| filter.includes(group)) {
        remove(session, group)?;
    }
    for group in changes.changed.iter().filter(|group| filter.includes(group)) {
        call_for_group(session, STOP, group)?;
        session.print_sanitized(&format!("{group}: stopped"));
        call_for_group(session, REMOVE, group)?;
        call_for_group(session, ADD, group)?;
        session.print_sanitized(&format!("{group}: updated process group"));
    }
    for group in changes.added.iter().filter(|group| filter.includes(group)) {
        call_for_group(session, ADD, group)?;
        session.print_sanitized(&format!("{group}: added process group"));
    }
    Ok(())
}

/// The groups to update; empty for all.
struct GroupFilter<'n>(BTreeSet<&'n str>);

impl<'n> GroupFilter<'n> {
    fn parse(rest: &'n str) -> Self {
        let names = words(rest);
        Self(if names.contains(&"all") { BTreeSet::new() } else { names.into_iter().collect() })
    }

    fn includes(&self, group: &str) -> bool {
        self.0.is_empty() || self.0.contains(group)
    }

    /// Prints an error for each name that is not a group, neither now nor in the new configuration.
    fn report_unknown(&self, session: &mut Session, changes: &ConfigChanges<'_>) -> Result<(), CtlError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let infos = session.all_process_info()?;
        let known: BTreeSet<&str> = infos.iter().map(|info| info.group.as_str()).collect();
        for group in self.0.iter().filter(|group| !known.contains(**group) && !changes.added.contains(group))
        {
            session.fail(exit_status::GENERIC, &format!("ERROR: no such group: {group}"));
        }
        Ok(())
    }
}

fn remove(session: &mut Session, group: &str) -> Result<(), CtlError> {
    let results = call_for_group(session, STOP, group)?;
    session.print_sanitized(&format!("{group}: stopped"));
    let mut has_failed = false;
    for result in struct_list(STOP, &results)? {
        has_failed |= result.int("status")? == FaultKind::Failed.code();
    }
    if has_failed {
        session.fail(exit_status::GENERIC, &format!("{group}: has problems; not removing"));
        return Ok(());
    }
    call_for_group(session, REMOVE, group)?;
    session.print_sanitized(&format!("{group}: removed process group"));
    Ok(())
}

fn call_for_group(session: &mut Session, method: &str, group: &str) -> Result<Value, CtlError> {
    session.call(method, &[Value::from(group)])
}
