//! What can be asked for: one row a verb.

mod add;
mod avail;
mod bulk_action;
mod clear;
mod fg;
mod help;
mod maintail;
mod open;
mod pid;
mod quit;
mod reload;
mod remove;
mod reread;
mod restart;
mod shutdown;
mod signal;
mod start;
mod status;
mod stop;
mod tail;
mod update;
mod version;

use crate::error::CtlError;
use crate::prompt;
use crate::session::{self, Session};

/// What comes after a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next line.
    Next,
    /// The end of the shell.
    End,
}

/// What can be completed behind a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Nothing.
    Nothing,
    /// The names of verbs.
    VerbNames,
    /// The names of groups.
    Groups,
    /// The names of processes, and `GROUP:*`.
    Processes,
    /// The name of a signal, then those of processes.
    SignalAndProcesses,
    /// The name of a process, then one of its channels.
    ProcessAndChannel,
    /// Types of events.
    EventTypes,
}

/// Where `help` lists a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelpGroup {
    /// Among the original's.
    Original,
    /// Among ours.
    Ours,
    /// Nowhere, as in the original.
    Unlisted,
}

/// A verb of the shell and of the command line.
pub(crate) struct Verb {
    /// How it is called.
    pub(crate) name: &'static str,
    /// What `help NAME` says, line by line; nothing means that there is no help.
    pub(crate) help: &'static [&'static str],
    /// What it can do beyond the original, line by line; an option stands at the beginning of its line. A verb that is
    /// ours altogether says it in `help`.
    pub(crate) extensions: &'static [&'static str],
    /// What can be completed behind it.
    pub(crate) completes: Completion,
    /// Where `help` lists it.
    pub(crate) help_group: HelpGroup,
    /// Does it. What follows the verb is given without space around.
    ///
    /// A verb says what its user should know, and sets the session's status; an error is for what it has no words for.
    pub(crate) run: fn(&mut Session, &str) -> Result<Flow, CtlError>,
}

/// All verbs, by name.
pub(crate) const VERBS: &[Verb] = &[
    quit::END_OF_INPUT,
    add::VERB,
    avail::VERB,
    crate::check::VERB,
    clear::VERB,
    crate::events::VERB,
    quit::EXIT,
    fg::VERB,
    help::VERB,
    crate::listeners::VERB,
    maintail::VERB,
    open::VERB,
    pid::VERB,
    quit::QUIT,
    reload::VERB,
    remove::VERB,
    reread::VERB,
    restart::VERB,
    shutdown::VERB,
    signal::VERB,
    start::VERB,
    status::VERB,
    stop::VERB,
    tail::VERB,
    update::VERB,
    version::VERB,
    crate::why::VERB,
];

/// The verb of a name.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// Says the help of a verb, as after a mistake.
pub(crate) fn print_help(session: &mut Session, verb: &Verb) {
    verb.help.iter().for_each(|line| session.print(line));
}

/// Refuses arguments where a verb takes none. Tells whether there are none.
fn check_no_arguments(session: &mut Session, verb: &Verb, rest: &str) -> bool {
    if !rest.is_empty() {
        let line = format!("Error: {} accepts no arguments", verb.name);
        session.fail(session::status::GENERIC, &line);
        print_help(session, verb);
    }
    rest.is_empty()
}

/// Whether a verb without arguments that stops everything is meant: in the shell the person is asked.
fn confirm(session: &mut Session, verb: &Verb, rest: &str, question: &str) -> Result<bool, CtlError> {
    Ok(check_no_arguments(session, verb, rest)
        && (!session.options.interactive || prompt::ask_yes_no(session, question)?))
}

#[cfg(test)]
mod tests;
