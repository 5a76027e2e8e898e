//! The binary: by the name it is called by, or by its first argument, it is one of many commands.

mod demo;
mod outbox;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

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
        name: "demo",
        about: "half a minute of crashes, hangs and leaks, and of the mails",
        main: demo::main,
    },
    Command { name: "outbox", about: "list, show, retry and drop alerts that wait", main: outbox::main },
    Command { name: "deliver", about: "deliver an outbox (the listeners start this)", main: outbox::deliver },
];

fn main() -> ExitCode {
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
        Some("-h" | "--help" | "help") => {
            let _ = io::stdout().write_all(help().as_bytes());
            ExitCode::SUCCESS
        }
        Some("-V" | "--version" | "version") => {
            let _ = writeln!(io::stdout(), "ironlance {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            let _ =
                writeln!(io::stderr(), "ironlance: cannot find the command {first:?}; see ironlance --help");
            ExitCode::from(2)
        }
    }
}

fn help() -> String {
    let commands: String =
        COMMANDS.iter().map(|command| format!("  {:<16} {}\n", command.name, command.about)).collect();
    format!(
        "ironlance {}: Supervisor and superlance in one binary, and no alert lost\n\n\
         usage: ironlance COMMAND [OPTIONS]     or by a link of the command's name\n\n\
         commands:\n{commands}\n\
         COMMAND --help tells the options of each.\n",
        env!("CARGO_PKG_VERSION")
    )
}
