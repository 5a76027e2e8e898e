//! `avail`: lists the configured processes.

use ironlance_rpc::FaultKind;

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{StructView, namespec, struct_list};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb, check_no_arguments};

pub(super) const VERB: Verb = Verb {
    name: "avail",
    help: &["avail\t\t\tDisplay all configured processes"],
    extensions: &[],
    completes: Completion::Nothing,
    help_group: HelpGroup::Original,
    needs_server: false,
    run,
};

const METHOD: &str = "supervisor.getAllConfigInfo";

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    if !check_no_arguments(session, &VERB, rest) {
        return Ok(Flow::Next);
    }
    match session.call(METHOD, &[]) {
        Err(error) if error.is_fault(FaultKind::ShutdownState) => {
            session.fail(exit_status::GENERIC, "ERROR: supervisor shutting down");
        }
        other => {
            for info in struct_list(METHOD, &other?)? {
                let line = line(info)?;
                session.print_sanitized(&line);
            }
        }
    }
    Ok(Flow::Next)
}

fn line(info: StructView<'_>) -> Result<String, CtlError> {
    let name = namespec(info.text("group")?, info.text("name")?);
    let inuse = if info.boolean("inuse")? { "in use" } else { "avail" };
    let autostart = if info.boolean("autostart")? { "auto" } else { "manual" };
    let (group, process) = (info.int("group_prio")?, info.int("process_prio")?);
    Ok(format!("{name:<32} {inuse:<9} {autostart:<9} {group}:{process}"))
}
