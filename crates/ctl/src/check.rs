//! `check [FILE]`: what is wrong with a configuration, before the daemon says so. Needs no daemon.

use std::path::Path;

use ironlance_config::{CheckResult, HostEnv, Overrides, check};

use crate::options::CHECK;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::typed::words;
use crate::verb::{Completes, Flow, Shelf, Verb, say_help};

pub(crate) const VERB: Verb = Verb {
    name: CHECK,
    help: &[
        "check <file>\t\tRead a configuration file as supervisord would, and show all its faults",
        "check\t\t\tThe same for the file of -c, or the one that is found without it",
    ],
    ours: &[],
    completes: Completes::Nothing,
    shelf: Shelf::Ours,
    run,
};

#[expect(clippy::unnecessary_wraps, reason = "every verb may fail")]
fn run(session: &mut Session, rest: &str) -> Result<Flow, Trouble> {
    let named = words(rest);
    let file = match named.as_slice() {
        [] => session.options.configuration.clone(),
        [file] => Some(Path::new(file).to_path_buf()),
        _ => {
            session.refuse(status::INVALID_ARGS, "Error: check accepts one file");
            say_help(session, &VERB);
            return Ok(Flow::Next);
        }
    };
    let Some(file) = file else {
        session.refuse(status::INVALID_ARGS, "Error: no configuration file found; name one");
        return Ok(Flow::Next);
    };
    let checked = check(&file, &Overrides::default(), &HostEnv::current());
    checked.remarks.iter().for_each(|line| session.say(line));
    match checked.result {
        CheckResult::Sound(line) => session.say(&line),
        CheckResult::Faulty => session.status = status::INVALID_ARGS,
    }
    Ok(Flow::Next)
}
