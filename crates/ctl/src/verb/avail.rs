//! `avail`: lists the configured processes.

use crate::error::CtlError;
use crate::session::{SHUTTING_DOWN, Session};
use crate::struct_view::{StructView, namespec, struct_list};
use crate::verb::api::{Verb, check_no_arguments};

pub(super) const VERB: Verb =
    Verb { name: "avail", help: &["avail\t\t\tDisplay all configured processes"], run, ..Verb::ORIGINAL };

const METHOD: &str = "supervisor.getAllConfigInfo";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    if !check_no_arguments(session, &VERB, rest) {
        return Ok(());
    }
    let infos = match session.call(METHOD, &[]) {
        Ok(infos) => infos,
        Err(error) => return session.fail_by_fault(error, &[SHUTTING_DOWN]),
    };
    struct_list(METHOD, &infos)?.into_iter().try_for_each(|info| {
        session.print_sanitized(&line(info)?);
        Ok(())
    })
}

fn line(info: StructView<'_>) -> Result<String, CtlError> {
    let name = namespec(info.text("group")?, info.text("name")?);
    let inuse = if info.boolean("inuse")? { "in use" } else { "avail" };
    let autostart = if info.boolean("autostart")? { "auto" } else { "manual" };
    let (group, process) = (info.int("group_prio")?, info.int("process_prio")?);
    Ok(format!("{name:<32} {inuse:<9} {autostart:<9} {group}:{process}"))
}
