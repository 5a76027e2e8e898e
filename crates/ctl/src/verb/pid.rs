//! `pid`: the pids of supervisord and of its processes.

use ironlance_rpc::FaultKind;

use crate::command_line::words;
use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::struct_view::unexpected_answer;
use crate::verb::api::{Completion, Verb};

pub(super) const VERB: Verb = Verb {
    name: "pid",
    help: &[
        "pid\t\t\tGet the PID of supervisord.",
        "pid <name>\t\tGet the PID of a single child process by name.",
        "pid all\t\t\tGet the PID of every child process, one per line.",
    ],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

const SUPERVISORD: &str = "supervisor.getPID";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let names = words(rest);
    if names.is_empty() {
        let pid = session.call(SUPERVISORD, &[])?;
        let pid = pid.as_int().ok_or_else(|| unexpected_answer(SUPERVISORD, "the number"))?;
        session.print(&pid.to_string());
    } else if names.contains(&"all") {
        for info in session.all_process_info()? {
            session.print(&info.pid.to_string());
        }
    } else {
        return names.into_iter().try_for_each(|name| one(session, name));
    }
    Ok(())
}

fn one(session: &mut Session, name: &str) -> Result<(), CtlError> {
    let info = match session.process_info(name) {
        Err(error) if error.is_fault(FaultKind::BadName) => {
            session.fail(exit_status::GENERIC, &format!("No such process {name}"));
            session.print_suggestion(name);
            return Ok(());
        }
        other => other?,
    };
    session.print(&info.pid.to_string());
    if info.pid == 0 {
        session.status = exit_status::NOT_RUNNING;
    }
    Ok(())
}
