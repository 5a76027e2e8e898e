//! What every verb consists of: [`Verb`], a row of the table, and the answers to wrong arguments. Callers: the verbs,
//! their table, and the shell. It knows no verb by name.

use crate::error::CtlError;
use crate::session::{Session, exit_status};
use crate::terminal::prompt;

/// What follows a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next line.
    Next,
    /// The end of the shell.
    End,
}

/// What can be completed after a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// Nothing.
    Nothing,
    /// Names of verbs.
    VerbNames,
    /// Names of groups.
    Groups,
    /// Names of processes, and `GROUP:*`.
    Processes,
    /// The name of a signal, then names of processes.
    SignalAndProcesses,
    /// The name of a process, then one of its channels.
    ProcessAndChannel,
    /// Event types.
    EventTypes,
}

/// The list in which `help` shows a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HelpGroup {
    /// Supervisor's verbs.
    Original,
    /// Verbs of ironlance alone.
    Ours,
    /// No list, as in the original.
    Unlisted,
}

/// A verb of the shell and of the command line.
pub(crate) struct Verb {
    /// Its name.
    pub(crate) name: &'static str,
    /// The lines of `help NAME`; empty where the verb has no help.
    pub(crate) help: &'static [&'static str],
    /// Help lines for what it does beyond the original; an option begins its line. Empty for a verb of ours, which has
    /// all in `help`.
    pub(crate) extensions: &'static [&'static str],
    /// What can be completed after it.
    pub(crate) completes: Completion,
    /// The list in which `help` shows it.
    pub(crate) help_group: HelpGroup,
    /// Whether supervisord must answer before the verb looks at its arguments.
    pub(crate) needs_server: bool,
    /// Whether the shell ends after it.
    pub(crate) ends_shell: bool,
    /// Runs it with the text after its name, without space around.
    ///
    /// A verb prints its results and sets the session's exit status. It fails for what it has no message of its own for.
    pub(crate) run: fn(&mut Session, &str) -> Result<(), CtlError>,
}

impl Verb {
    /// What most verbs of the original have in common.
    pub(crate) const ORIGINAL: Self = Self {
        name: "",
        help: &[],
        extensions: &[],
        completes: Completion::Nothing,
        help_group: HelpGroup::Original,
        needs_server: false,
        ends_shell: false,
        run: |_, _| Ok(()),
    };

    /// What most verbs of ours have in common.
    pub(crate) const OURS: Self = Self { help_group: HelpGroup::Ours, ..Self::ORIGINAL };

    /// Runs the verb; without a server that it needs, that is printed and nothing else is done.
    pub(crate) fn execute(&self, session: &mut Session, rest: &str) -> Result<Flow, CtlError> {
        if self.needs_server && !session.check_server()? {
            return Ok(Flow::Next);
        }
        (self.run)(session, rest)?;
        Ok(if self.ends_shell { Flow::End } else { Flow::Next })
    }
}

/// Prints the help of a verb, as after a wrong argument.
pub(crate) fn print_help(session: &mut Session, verb: &Verb) {
    verb.help.iter().for_each(|line| session.print(line));
}

/// Refuses the arguments: prints the error and the help.
pub(crate) fn refuse(session: &mut Session, verb: &Verb, status: u8, line: &str) {
    session.fail(status, line);
    print_help(session, verb);
}

/// Checks that there are no arguments; otherwise prints the error and the help.
pub(crate) fn check_no_arguments(session: &mut Session, verb: &Verb, rest: &str) -> bool {
    if !rest.is_empty() {
        let line = format!("Error: {} accepts no arguments", verb.name);
        refuse(session, verb, exit_status::GENERIC, &line);
    }
    rest.is_empty()
}

/// Whether to run a verb without arguments that stops everything; the shell asks the person, and y is yes.
pub(crate) fn confirm(
    session: &mut Session,
    verb: &Verb,
    rest: &str,
    question: &str,
) -> Result<bool, CtlError> {
    Ok(check_no_arguments(session, verb, rest)
        && (!session.options.interactive || prompt::ask(session, question)?.to_lowercase().starts_with('y')))
}
