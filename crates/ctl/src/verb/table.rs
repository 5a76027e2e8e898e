//! The table of all verbs. Callers: the shell, completion, and the reference for manuals.

use super::api::Verb;
use super::{
    add, avail, check, clear, events, fg, help, history, listeners, maintail, open, pid, quit, reload,
    remove, reread, restart, shutdown, signal, silence, start, status, stop, tail, update, version, why,
};

/// All verbs, by name.
pub(crate) const VERBS: &[Verb] = &[
    quit::END_OF_INPUT,
    add::VERB,
    avail::VERB,
    check::VERB,
    clear::VERB,
    events::VERB,
    quit::EXIT,
    fg::VERB,
    // It alone needs the table itself.
    help::verb(|session, rest| help::run(session, rest, VERBS)),
    history::VERB,
    listeners::VERB,
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
    silence::VERB,
    start::VERB,
    status::VERB,
    stop::VERB,
    tail::VERB,
    update::VERB,
    version::VERB,
    why::VERB,
];

/// The verb with this name.
pub(crate) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}
