//! `check [FILE]`: prints all faults of a configuration file, without a daemon.

use std::path::Path;

use ironlance_config::{CheckResult, HostEnv, Overrides, check};

use crate::command_line::words;
use crate::error::CtlError;
use crate::options::CHECK_VERB;
use crate::session::{Session, exit_status};
use crate::verb::api::{Verb, refuse};

pub(crate) const VERB: Verb = Verb {
    name: CHECK_VERB,
    help: &[
        "check <file>\t\tRead a configuration file as supervisord would, and show all its faults",
        "check\t\t\tThe same for the file of -c, or the one that is found without it",
    ],
    run,
    ..Verb::OURS
};

fn run(session: &mut Session, rest: &str) -> Result<(), CtlError> {
    let named = words(rest);
    let file = match named.as_slice() {
        [] => session.options.configuration.clone(),
        [file] => Some(Path::new(file).to_path_buf()),
        _ => {
            refuse(session, &VERB, exit_status::INVALID_ARGS, "Error: check accepts one file");
            return Ok(());
        }
    };
    let Some(file) = file else {
        session.fail(exit_status::INVALID_ARGS, "Error: no configuration file found; name one");
        return Ok(());
    };
    let checked = check(&file, &Overrides::default(), &HostEnv::current());
    checked.remarks.iter().for_each(|line| session.print(line));
    match checked.result {
        CheckResult::Sound(line) => session.print(&line),
        CheckResult::Faulty => session.status = exit_status::INVALID_ARGS,
    }
    Ok(())
}
