//! The binary: by the name it is called by, or by its first argument, it is one of many commands.

mod alerts;
mod completion;
mod demo;
mod import;
mod init;
mod manual;
mod outbox;
mod sample;
mod usage;
mod watch;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use ironlance_checks::probe;
use ironlance_core::cli::help::{CommandHelp, HelpEntry, HelpSection};
use ironlance_daemon::pidproxy;
use ironlance_host::nss;
use ironlance_listeners::command::{batch, crashmail, httpok, memmon};
use ironlance_listeners::options;
use ironlance_listeners::rule::batch::BatchMailer;
use usage::CommandReference;

/// A command, by its name.
struct Command {
    name: &'static str,
    about: &'static str,
    main: fn(&[String]) -> ExitCode,
    /// For the manual and the completion; none for what only other commands start.
    help: Option<fn() -> CommandHelp>,
}

/// What this binary can be. Each takes its arguments without its own name.
#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    Command { name: "supervisord", about: "keep programs running, and tell listeners what happens to them",
        main: ironlance_daemon::main, help: Some(ironlance_daemon::options::help) },
    Command { name: "supervisorctl", about: "see, start and stop the programs of a supervisord",
        main: ironlance_ctl::main, help: Some(ironlance_ctl::help) },
    Command { name: "crashmail", about: "mail when a program exits unexpectedly",
        main: crashmail::main, help: Some(options::crashmail::help) },
    Command { name: "crashmailbatch", about: "the same, collected into one mail per interval",
        main: |args| batch::main(BatchMailer::Crashmailbatch, args), help: Some(|| options::batch::help(BatchMailer::Crashmailbatch)) },
    Command { name: "fatalmailbatch", about: "mail when programs could not be started, one per interval",
        main: |args| batch::main(BatchMailer::Fatalmailbatch, args), help: Some(|| options::batch::help(BatchMailer::Fatalmailbatch)) },
    Command { name: "crashsms", about: "short messages about crashes",
        main: |args| batch::main(BatchMailer::Crashsms, args), help: Some(|| options::batch::help(BatchMailer::Crashsms)) },
    Command { name: "httpok", about: "restart programs whose web page does not answer well",
        main: httpok::main, help: Some(options::httpok::help) },
    Command { name: "memmon", about: "restart programs that use too much memory",
        main: memmon::main, help: Some(options::memmon::help) },
    Command { name: "watch", about: "tell people of incidents, once, as [alert:x] says",
        main: watch::main, help: Some(usage::help::<watch::Args>) },
    Command { name: "alerts", about: "list, explain, acknowledge and silence incidents; test receivers",
        main: alerts::main, help: Some(usage::help::<alerts::Args>) },
    Command { name: "pidproxy", about: "pass signals on to a daemon that leaves its pid in a file",
        main: pidproxy::main, help: Some(pidproxy::help) },
    Command { name: "echo_supervisord_conf", about: "print a sample configuration with every key",
        main: sample::main, help: Some(sample::help) },
    Command { name: "init", about: "write a configuration whose listeners mail, and try it",
        main: init::main, help: Some(usage::help::<init::Args>) },
    Command { name: "import", about: "what moving over means for a supervisord.conf; changes nothing",
        main: import::main, help: Some(usage::help::<import::Args>) },
    Command { name: "demo", about: "half a minute of crashes, hangs and leaks, and of the mails",
        main: demo::main, help: Some(usage::help::<demo::Args>) },
    Command { name: "outbox", about: "list, show, retry and drop alerts that wait",
        main: outbox::main, help: Some(usage::help::<outbox::Args>) },
    Command { name: "manual", about: "print the manual page of a command",
        main: |args| manual::main(args, &overview(), &references()), help: Some(usage::help::<manual::Args>) },
    Command { name: "completion", about: "print what makes a shell complete the commands",
        main: |args| completion::main(args, &references()), help: Some(usage::help::<completion::Args>) },
    Command { name: "probe", about: "make the checks of programs (watch starts this)",
        main: probe::main, help: None },
    Command { name: "deliver", about: "deliver an outbox (the listeners start this)",
        main: outbox::deliver, help: None },
];

fn main() -> ExitCode {
    nss::disable_nss_plugins();
    let mut args = env::args_os();
    let called_as = args.next().unwrap_or_default();
    let by_name = Path::new(&called_as).file_name().and_then(|name| find(name.to_str()?));
    let command = by_name.or_else(|| {
        let first = args.next();
        find(first.as_ref().and_then(|first| first.to_str()).unwrap_or("--help"))
    });
    let Some(command) = command else { return other(env::args_os().nth(1)) };
    match args.map(OsString::into_string).collect::<Result<Vec<_>, _>>() {
        Ok(args) => (command.main)(&args),
        Err(arg) => {
            let _ = writeln!(io::stderr(), "{}: cannot read the argument {arg:?}: not UTF-8", command.name);
            ExitCode::from(2)
        }
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The binary under its own name, without a command that it knows.
fn other(first: Option<OsString>) -> ExitCode {
    let first = first.unwrap_or_else(|| "--help".into());
    match first.to_str() {
        Some("-h" | "--help" | "help") => say(&help()),
        Some("-V" | "--version" | "version") => say(&format!("ironlance {}\n", env!("CARGO_PKG_VERSION"))),
        _ => {
            let _ =
                writeln!(io::stderr(), "ironlance: cannot find the command {first:?}; see ironlance --help");
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "ironlance: cannot write to stdout: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the binary is.
const ABOUT: &str = "Supervisor and superlance in one binary; alerts wait until they are sent";
const USAGE: &str = "ironlance COMMAND [OPTIONS]     or by a link of the command's name";
const NOTES: &str = "COMMAND --help tells the options of each.";

fn help() -> String {
    let commands: String =
        COMMANDS.iter().map(|command| format!("  {:<22} {}\n", command.name, command.about)).collect();
    let version = env!("CARGO_PKG_VERSION");
    format!("ironlance {version}: {ABOUT}\n\nusage: {USAGE}\n\ncommands:\n{commands}\n{NOTES}\n")
}

/// The same as data.
fn overview() -> CommandReference {
    let entry = |command: &Command| HelpEntry {
        term: command.name.to_owned(),
        text: command.about.to_owned(),
        ..HelpEntry::default()
    };
    let help = CommandHelp {
        usage: USAGE.to_owned(),
        sections: vec![
            HelpSection::of_entries("commands", COMMANDS.iter().map(entry)),
            HelpSection::of_text("", NOTES),
        ],
        subcommands: Vec::new(),
    };
    CommandReference { command: "ironlance", about: ABOUT, help }
}

/// The commands that people call.
fn references() -> Vec<CommandReference> {
    let references = COMMANDS.iter().filter_map(|command| {
        Some(CommandReference { command: command.name, about: command.about, help: command.help?() })
    });
    references.collect()
}
