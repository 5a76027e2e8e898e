//! Options of supervisorctl: [`parse`] reads the command line as Python's getopt does, and the configuration it names.

use std::fmt;
use std::path::{Path, PathBuf};

use ironlance_config::{self as config, CtlSettings, HostEnv, Notes, default_paths};
use ironlance_core::cli::help::{CommandHelp, HelpEntry, SupervisorHelp};
use ironlance_core::cli::table::{original, ours};
use ironlance_core::cli::{OptionArg, OptionSpec, Takes, getopt};
use ironlance_core::text::python;

/// What the command line requests.
#[derive(Debug, PartialEq)]
pub(crate) enum Invocation {
    /// Run one line and exit.
    Once(Options, String),
    /// Run lines until the end of input.
    Shell(Options),
    /// Print this text and exit with 0.
    Help(String),
    /// Invalid: print the original's message, which is after `Error: `, and exit with 2.
    Refused(String),
}

/// Supervisord's address, the credentials for it, and the settings of the shell.
#[derive(Clone, PartialEq)]
pub(crate) struct Options {
    /// `unix://PATH` or `http://HOST:PORT`.
    pub(crate) serverurl: String,
    /// The user name.
    pub(crate) username: Option<String>,
    /// The password.
    pub(crate) password: Option<String>,
    /// The prompt before `> `.
    pub(crate) prompt: String,
    /// The history file of the shell.
    pub(crate) history_file: Option<PathBuf>,
    /// The configuration file: of `-c`, or from the default paths.
    pub(crate) configuration: Option<PathBuf>,
    /// Whether a person can be asked.
    pub(crate) interactive: bool,
}

/// Leaves the password out.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("serverurl", &self.serverurl)
            .field("username", &self.username)
            .field("prompt", &self.prompt)
            .field("history_file", &self.history_file)
            .field("interactive", &self.interactive)
            .finish_non_exhaustive()
    }
}

/// The options of the command line alone.
#[derive(Default)]
struct ParsedOptions {
    configuration: Option<String>,
    interactive: Option<()>,
    serverurl: Option<String>,
    username: Option<String>,
    password: Option<String>,
    history_file: Option<String>,
}

/// Why parsing stopped.
enum ParseStop {
    Help,
    Version,
    Refused(String),
}

/// The version line, and which Supervisor it stands in for.
pub(crate) const VERSION_LINE: &str =
    concat!("ironlance ", env!("CARGO_PKG_VERSION"), ", in the place of Supervisor 4.3.0");

/// The verb that reads a configuration by itself, faults included.
pub(crate) const CHECK_VERB: &str = "check";

const DEFAULT_URL: &str = "http://localhost:9001";
const DEFAULT_PROMPT: &str = "supervisor";

/// `-?` has no long name, but a row needs one: this text cannot be typed as a long option.
const QUESTION_MARK: &str = "?";

/// Parses a command line without the command's name, and loads the configuration. `progname` is the name in the help.
pub(crate) fn parse(progname: &str, args: &[String]) -> Invocation {
    match read(progname, args) {
        Ok((options, [])) => Invocation::Shell(Options { interactive: true, ..options }),
        Ok((options, rest)) => Invocation::Once(options, rest.join(" ")),
        Err(ParseStop::Help) => Invocation::Help(help_text(progname)),
        Err(ParseStop::Version) => Invocation::Help(format!("{VERSION_LINE}\n")),
        Err(ParseStop::Refused(message)) => Invocation::Refused(message),
    }
}

fn read<'a>(progname: &str, args: &'a [String]) -> Result<(Options, &'a [String]), ParseStop> {
    let rows = rows();
    let (hits, rest) = getopt::parse(&rows, args).map_err(|usage| ParseStop::Refused(usage.0))?;
    let mut draft = ParsedOptions::default();
    getopt::apply(&hits, &mut draft)?;
    let file = match &draft.configuration {
        Some(named) => Some(PathBuf::from(named)).filter(|file| !file.as_os_str().is_empty()),
        None => default_paths(progname).into_iter().find(|path| path.exists()),
    };
    let machine = HostEnv::current();
    let alone = || CtlSettings {
        serverurl: DEFAULT_URL.to_owned(),
        username: None,
        password: None,
        prompt: DEFAULT_PROMPT.to_owned(),
        history_file: None,
        notes: Notes::default(),
    };
    let base = match file.as_ref().map(|file| config::load_ctl_settings(file, &machine)) {
        None => alone(),
        // `check` reports all faults of the file itself.
        Some(Err(_)) if rest.first().is_some_and(|verb| verb == CHECK_VERB) => alone(),
        Some(Err(faults)) => return Err(ParseStop::Refused(refusal(file.as_deref(), &faults))),
        Some(Ok(control)) => control,
    };
    let options = Options {
        serverurl: draft.serverurl.unwrap_or(base.serverurl),
        username: draft.username.or(base.username),
        password: draft.password.or(base.password),
        prompt: base.prompt,
        history_file: draft.history_file.map(|file| machine.cwd.join(file)).or(base.history_file),
        configuration: file,
        interactive: draft.interactive.is_some(),
    };
    Ok((options, rest))
}

/// The original's message for an unusable configuration. A path through a regular file counts as missing.
fn refusal(file: Option<&Path>, faults: &config::ConfigFaults) -> String {
    match file {
        Some(file) if !file.exists() => format!("could not find config file {}", file.display()),
        _ => faults.original().to_owned(),
    }
}

/// The options in the original's order.
#[rustfmt::skip]
fn rows() -> Vec<OptionSpec<ParsedOptions, ParseStop>> {
    vec![
        original('c', "configuration", Takes::Value("FILENAME"), "configuration file path (searches if not given)", |draft, given| {
            set(&mut draft.configuration, given, given.value().to_owned())
        }),
        original('h', "help", Takes::Nothing, "print usage message and exit", |_, _| Err(ParseStop::Help)),
        original('?', QUESTION_MARK, Takes::Nothing, "", |_, _| Err(ParseStop::Help)),
        original('i', "interactive", Takes::Nothing, "start an interactive shell after executing commands", |draft, given| set(&mut draft.interactive, given, ())),
        original('s', "serverurl", Takes::Value("URL"), "URL on which supervisord server is listening (default \"http://localhost:9001\").", |draft, given| {
            set(&mut draft.serverurl, given, url(given)?)
        }),
        original('u', "username", Takes::Value("USERNAME"), "username to use for authentication with server", |draft, given| {
            set(&mut draft.username, given, given.value().to_owned())
        }),
        original('p', "password", Takes::Value("PASSWORD"), "password to use for authentication with server", |draft, given| {
            set(&mut draft.password, given, given.value().to_owned())
        }),
        original('r', "history_file", Takes::Value("FILENAME"), "", |draft, given| {
            set(&mut draft.history_file, given, given.value().to_owned())
        }),
        ours("version", Takes::Nothing, "", |_, _| Err(ParseStop::Version)),
        // Named so in the original's help, but not in its code.
        ours("history-file", Takes::Value("FILENAME"), "", |draft, given| {
            set(&mut draft.history_file, given, given.value().to_owned())
        }),
    ]
}

/// Sets an option's value; an option may be given once.
fn set<T>(slot: &mut Option<T>, given: &OptionArg, value: T) -> Result<(), ParseStop> {
    if slot.is_some() {
        let name = python::repr(&given.name);
        return Err(ParseStop::Refused(format!("conflicting command line option {name}")));
    }
    *slot = Some(value);
    Ok(())
}

/// Checks a URL as Supervisor's datatypes.py does: a scheme, and something after it.
fn url(given: &OptionArg) -> Result<String, ParseStop> {
    let text = given.value();
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let leads_somewhere = |rest: &str| {
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        !rest.strip_prefix("//").unwrap_or(rest).is_empty()
    };
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) && leads_somewhere(rest) => Ok(text.to_owned()),
        _ => {
            let (name, text) = (&given.name, python::repr(text));
            Err(ParseStop::Refused(format!("invalid value for {name} {text}: value {text} is not a URL")))
        }
    }
}

/// The original's help, unchanged, because programs parse it.
const HELP: SupervisorHelp = SupervisorHelp {
    command: "supervisorctl",
    about: "control applications run by supervisord from the cmd line.",
    operands: "[options] [action [arguments]]",
    notes: r#"action [arguments] -- see below

Actions are commands like "tail" or "stop".  If -i is specified or no action is
specified on the command line, a "shell" interpreting actions typed
interactively is started.  Use the action "help" to find out about available
actions.
"#,
};

/// The options as the original's help shows them.
fn help_entries() -> Vec<HelpEntry> {
    let mut entries = SupervisorHelp::options(&rows());
    // Its value is not shown, and the name is not the one in the original's table.
    entries.push(HelpEntry {
        term: "-r/--history-file".to_owned(),
        text: "keep a readline history (if readline is available)".to_owned(),
        short: Some('r'),
        long: Some("history-file".to_owned()),
        takes_value: false,
    });
    entries
}

/// The command's help.
pub fn help() -> CommandHelp {
    HELP.help(help_entries())
}

fn help_text(progname: &str) -> String {
    // The original breaks this one line.
    HELP.text(progname, &help_entries()).replace(" (default ", "\n     (default ")
}

#[cfg(test)]
mod tests;
