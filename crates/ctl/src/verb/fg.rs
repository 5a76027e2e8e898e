//! `fg`: a process in the foreground: sends input lines to its stdin and follows its logs.

use std::os::fd::AsFd;

use ironlance_core::ProcessState;
use ironlance_rpc::{FaultKind, ProcessInfo, Value};

use crate::command_line::words;
use crate::error::CtlError;
use crate::log_stream::{BackgroundFollowers, log_page};
use crate::session::{Session, exit_status};
use crate::terminal::line_reader::ReadLine;
use crate::verb::api::{Completion, Verb, refuse};

pub(super) const VERB: Verb = Verb {
    name: "fg",
    help: &["fg <process>\tConnect to a process in foreground mode", "\t\tCtrl-C to exit"],
    completes: Completion::Processes,
    needs_server: true,
    run,
    ..Verb::ORIGINAL
};

const STDIN: &str = "supervisor.sendProcessStdin";

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let name = match words(rest).as_slice() {
        [] => {
            refuse(session, &VERB, exit_status::GENERIC, "ERROR: no process name supplied");
            return Ok(());
        }
        [name] => *name,
        _ => {
            session.fail(exit_status::GENERIC, "ERROR: too many process names supplied");
            return Ok(());
        }
    };
    match session.process_info(name) {
        Ok(info) if is_running(&info) => foreground(session, name)?,
        Ok(_) => session.fail(exit_status::GENERIC, "ERROR: process not running"),
        Err(error) if error.is_fault(FaultKind::BadName) => {
            session.fail(exit_status::GENERIC, "ERROR: bad process name supplied");
        }
        Err(error) => report_fault(session, error)?,
    }
    Ok(())
}

fn is_running(info: &ProcessInfo) -> bool {
    info.process_state() == ProcessState::Running
}

fn foreground(session: &mut Session, name: &str) -> Result<(), CtlError> {
    session.print("==> Press Ctrl-C to exit <==");
    session.flush();
    let (guard, interrupt) = session.catch_interrupts()?;
    let client = session.client()?;
    let pages = ["stdout", "stderr"].map(|channel| log_page(name, channel));
    let followers =
        BackgroundFollowers::start(&client, &session.options.serverurl, &pages, &guard.follower())?;
    let ended = exchange(session, name, &interrupt);
    followers.stop();
    ended?;
    session.print("Exiting foreground");
    Ok(())
}

/// Sends lines to the process until the end of input, ^C, or the end of the process.
fn exchange(
    session: &mut Session,
    name: &str,
    interrupt: &std::os::unix::net::UnixStream,
) -> Result<(), CtlError> {
    while let ReadLine::Line(line) = session.input.read_line(Some(interrupt.as_fd())) {
        match session.call(STDIN, &[name.into(), Value::from(line + "\n")]) {
            Ok(_) => {}
            Err(error) if error.is_fault(FaultKind::NotRunning) => {
                session.print("Process got killed");
                return Ok(());
            }
            Err(error) => return report_fault(session, error),
        }
        if !is_running(&session.process_info(name)?) {
            session.print("Process got killed");
            return Ok(());
        }
    }
    Ok(())
}

/// Prints a fault in Python's form without changing the exit status; returns other errors.
fn report_fault(session: &mut Session, error: CtlError) -> Result<(), CtlError> {
    match error.fault() {
        Some(fault) => {
            session.print_sanitized(&format!("ERROR: {fault}"));
            Ok(())
        }
        None => Err(error),
    }
}
