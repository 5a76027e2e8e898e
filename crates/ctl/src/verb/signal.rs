//! `signal`: sends a signal to processes.

use ironlance_rpc::Value;

use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::acting::Act;
use crate::verb::{Completes, Flow, Shelf, Verb, say_help, stop};

pub(super) const VERB: Verb = Verb {
    name: "signal",
    help: &[
        "signal <signal name> <name>\t\tSignal a process",
        "signal <signal name> <gname>:*\t\tSignal all processes in a group",
        "signal <signal name> <name> <name>\tSignal multiple processes or groups",
        "signal <signal name> all\t\tSignal all processes",
    ],
    ours: &["signal <signal name> web*\t\tSignal what fits (*, ?, [a-z], [!a-z]; quoted in a shell)"],
    completes: Completes::SignalAndProcesses,
    shelf: Shelf::Original,
    run,
};

const ACT: Act = Act {
    all: "supervisor.signalAllProcesses",
    group: "supervisor.signalProcessGroup",
    one: "supervisor.signalProcess",
    done: "signalled",
    refusals: stop::REFUSALS,
    ignored: None,
    no_group: status::GENERIC,
};

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    match words(rest).as_slice() {
        [signal, names @ ..] if !names.is_empty() => {
            let names = session.resolve(names)?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            ACT.run(session, &names, &[Value::from(*signal)])?;
        }
        _ => {
            session.refuse(status::GENERIC, "Error: signal requires a signal name and a process name");
            say_help(session, &VERB);
        }
    }
    Ok(Flow::Next)
}
