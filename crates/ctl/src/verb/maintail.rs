//! `maintail`: the end of supervisord's own log, once or for as long as it grows.

use ironlance_rpc::{FaultKind, Value};

use crate::record::text;
use crate::session::{Session, is_fault, status};
use crate::stream::{self, Page};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::tail::{DEFAULT_BYTES, Extent, offset};
use crate::verb::{Completes, Flow, Shelf, Verb, say_help};

pub(super) const VERB: Verb = Verb {
    name: "maintail",
    help: &[
        "maintail -f \tContinuous tail of supervisor main log file (Ctrl-C to exit)",
        "maintail -100\tlast 100 *bytes* of supervisord main log file",
        "maintail\tlast 1600 *bytes* of supervisor main log file",
        "",
    ],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Original,
    run,
};

const METHOD: &str = "supervisor.readLog";

fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    if !session.is_up()? {
        return Ok(Flow::Next);
    }
    let extent = match words(rest).as_slice() {
        [] => Some(Extent::Last(DEFAULT_BYTES)),
        [one] => Extent::of(one),
        _ => {
            session.refuse(status::GENERIC, "Error: too many arguments");
            say_help(session, &VERB);
            return Ok(Flow::Next);
        }
    };
    match extent {
        None => session.refuse(status::GENERIC, &format!("Error: bad argument {rest}")),
        Some(Extent::Follow) => stream::tail(session, &Page::MainLog)?,
        Some(Extent::Last(bytes)) => last(session, bytes)?,
    }
    Ok(Flow::Next)
}

fn last(session: &mut Session, bytes: i64) -> Result<(), Trouble> {
    let trouble = match session.call(METHOD, &[offset(bytes)?, Value::Int(0)]) {
        Ok(output) => {
            session.say(&text(METHOD, output)?);
            return Ok(());
        }
        Err(trouble) => trouble,
    };
    let words = [(FaultKind::NoFile, "no log file"), (FaultKind::Failed, "unknown error reading log")];
    let Some((_, words)) = words.into_iter().find(|(kind, _)| is_fault(&trouble, *kind)) else {
        return Err(trouble);
    };
    session.refuse(status::GENERIC, &format!("supervisord: ERROR ({words})"));
    Ok(())
}
