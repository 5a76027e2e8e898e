//! `fg`: a program in the foreground: what is typed goes to its stdin, what it writes is shown.

use std::os::fd::AsFd;

use ironlance_core::ProcessState;
use ironlance_rpc::{FaultKind, Value};

use crate::input::Heard;
use crate::record::Record;
use crate::session::{Session, is_fault, status};
use crate::stream::{Followers, Page};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb, say_help};

pub(super) const VERB: Verb = Verb {
    name: "fg",
    help: &["fg <process>\tConnect to a process in foreground mode", "\t\tCtrl-C to exit"],
    ours: &[],
    completes: Completes::Processes,
    shelf: Shelf::Original,
    run,
};

const INFO: &str = "supervisor.getProcessInfo";
const STDIN: &str = "supervisor.sendProcessStdin";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    let name = match words(rest).as_slice() {
        [] => {
            session.refuse(status::GENERIC, "ERROR: no process name supplied");
            say_help(session, &VERB);
            return Ok(Flow::Next);
        }
        [name] => *name,
        _ => {
            session.refuse(status::GENERIC, "ERROR: too many process names supplied");
            return Ok(Flow::Next);
        }
    };
    match is_running(session, name) {
        Ok(true) => foreground(session, name)?,
        Ok(false) => session.refuse(status::GENERIC, "ERROR: process not running"),
        Err(trouble) if is_fault(&trouble, FaultKind::BadName) => {
            session.refuse(status::GENERIC, "ERROR: bad process name supplied");
        }
        Err(trouble) => say_fault(session, trouble)?,
    }
    Ok(Flow::Next)
}

fn is_running(session: &mut Session, name: &str) -> Result<bool, Trouble> {
    let info = session.call(INFO, &[name.into()])?;
    let state = Record::new(INFO, &info).int("state")?;
    Ok(ProcessState::from_code(state) == Some(ProcessState::Running))
}

fn foreground(session: &mut Session, name: &str) -> Result<(), Trouble> {
    session.say("==> Press Ctrl-C to exit <==");
    session.flush();
    let machine = |reason| Trouble::Machine { what: "watch for ^C", reason };
    let catch = session.interrupts.catch().map_err(machine)?;
    let interrupt = catch.socket().map_err(machine)?;
    let supervisor = session.supervisor()?;
    let pages = ["stdout", "stderr"].map(|channel| Page::Log { name, channel });
    let followers = Followers::start(&supervisor, &session.options.serverurl, &pages, &catch.follower())?;
    let ended = exchange(session, name, &interrupt);
    followers.stop();
    ended?;
    session.say("Exiting foreground");
    Ok(())
}

/// Passes lines on until there are no more, ^C, or the program is gone.
fn exchange(
    session: &mut Session,
    name: &str,
    interrupt: &std::os::unix::net::UnixStream,
) -> Result<(), Trouble> {
    while let Heard::Line(line) = session.input.line(Some(interrupt.as_fd())) {
        match session.call(STDIN, &[name.into(), Value::from(line + "\n")]) {
            Ok(_) => {}
            Err(trouble) if is_fault(&trouble, FaultKind::NotRunning) => {
                session.say("Process got killed");
                return Ok(());
            }
            Err(trouble) => return say_fault(session, trouble),
        }
        if !is_running(session, name)? {
            session.say("Process got killed");
            return Ok(());
        }
    }
    Ok(())
}

/// Says a fault in Python's form, which leaves the status as it is; other trouble is not ours to word.
fn say_fault(session: &mut Session, trouble: Trouble) -> Result<(), Trouble> {
    match trouble.fault() {
        Some(fault) => {
            session.tell(&format!("ERROR: {fault}"));
            Ok(())
        }
        None => Err(trouble),
    }
}
