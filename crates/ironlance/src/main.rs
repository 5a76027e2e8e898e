//! The binary: by the name it is called by, or by its first argument, it is one of many commands.

mod completion;
mod demo;
mod import;
mod init;
mod manual;
mod outbox;
mod sample;
mod usage;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use ironlance_daemon::pidproxy;
use ironlance_host::nss;
use ironlance_listeners::command::{batch, crashmail, httpok, memmon};

/// A command, by its name.
struct Command {
    name: &'static str,
    about: &'static str,
    main: fn(&[String]) -> ExitCode,
}

/// What this binary can be. Each takes its arguments without its own name.
const COMMANDS: &[Command] = &[
    Command {
        name: "supervisord",
        about: "keep programs running, and tell listeners what happens to them",
        main: ironlance_daemon::main,
    },
    Command {
        name: "supervisorctl",
        about: "see, start and stop the programs of a supervisord",
        main: ironlance_ctl::main,
    },
    Command { name: "crashmail", about: "mail when a program exits unexpectedly", main: crashmail::main },
    Command {
        name: "crashmailbatch",
        about: "the same, collected into one mail per interval",
        main: batch::crashmailbatch,
    },
    Command {
        name: "fatalmailbatch",
        about: "mail when programs could not be started, one per interval",
        main: batch::fatalmailbatch,
    },
    Command { name: "crashsms", about: "short messages about crashes", main: batch::crashsms },
    Command {
        name: "httpok",
        about: "restart programs whose web page does not answer well",
        main: httpok::main,
    },
    Command { name: "memmon", about: "restart programs that use too much memory", main: memmon::main },
    Command {
        name: "pidproxy",
        about: "pass signals on to a daemon that leaves its pid in a file",
        main: pidproxy::main,
    },
    Command {
        name: "echo_supervisord_conf",
        about: "print a sample configuration with every key",
        main: sample::main,
    },
    Command {
        name: "init",
        about: "write a configuration whose listeners mail, and try it",
        main: init::main,
    },
    Command {
        name: "import",
        about: "what moving over means for a supervisord.conf; changes nothing",
        main: import::main,
    },
    Command {
        name: "demo",
        about: "half a minute of crashes, hangs and leaks, and of the mails",
        main: demo::main,
    },
    Command { name: "outbox", about: "list, show, retry and drop alerts that wait", main: outbox::main },
    Command { name: "manual", about: "print the manual page of a command", main: manual::main },
    Command {
        name: "completion",
        about: "print what makes a shell complete the commands",
        main: completion::main,
    },
    Command { name: "deliver", about: "deliver an outbox (the listeners start this)", main: outbox::deliver },
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

fn help() -> String {
    let commands: String =
        COMMANDS.iter().map(|command| format!("  {:<22} {}\n", command.name, command.about)).collect();
    format!(
        "ironlance {}: Supervisor and superlance in one binary; alerts wait until they are sent\n\n\
         usage: ironlance COMMAND [OPTIONS]     or by a link of the command's name\n\n\
         commands:\n{commands}\n\
         COMMAND --help tells the options of each.\n",
        env!("CARGO_PKG_VERSION")
    )
}
