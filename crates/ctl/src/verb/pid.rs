//! `pid`: the process ids of supervisord and of its programs.

use ironlance_rpc::{FaultKind, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::{StructView, struct_list, unexpected_answer};
use crate::verb::api::{Completion, Flow, HelpGroup, Verb};

pub(super) const VERB: Verb = Verb {
    name: "pid",
    help: &[
        "pid\t\t\tGet the PID of supervisord.",
        "pid <name>\t\tGet the PID of a single child process by name.",
        "pid all\t\t\tGet the PID of every child process, one per line.",
    ],
    extensions: &[],
    completes: Completion::Processes,
    help_group: HelpGroup::Original,
    needs_server: true,
    run,
};

const SUPERVISORD: &str = "supervisor.getPID";
const ALL: &str = "supervisor.getAllProcessInfo";
const ONE: &str = "supervisor.getProcessInfo";

fn run(session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
    let names = words(rest);
    if names.is_empty() {
        let pid = session.call(SUPERVISORD, &[])?;
        let pid = pid.as_int().ok_or_else(|| unexpected_answer(SUPERVISORD, "the number"))?;
        session.print(&pid.to_string());
    } else if names.contains(&"all") {
        let all = session.call(ALL, &[])?;
        for info in struct_list(ALL, &all)? {
            session.print(&info.int("pid")?.to_string());
        }
    } else {
        names.into_iter().try_for_each(|name| one(session, name))?;
    }
    Ok(Flow::Next)
}

fn one(session: &mut Session, name: &str) -> Result<(), CtlError> {
    let info = match session.call(ONE, &[Value::from(name)]) {
        Err(error) if error.is_fault(FaultKind::BadName) => {
            session.fail(exit_status::GENERIC, &format!("No such process {name}"));
            session.print_suggestion(name);
            return Ok(());
        }
        other => other?,
    };
    let pid = StructView::new(ONE, &info).int("pid")?;
    session.print(&pid.to_string());
    if pid == 0 {
        session.status = exit_status::NOT_RUNNING;
    }
    Ok(())
}
