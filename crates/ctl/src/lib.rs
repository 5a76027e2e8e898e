//! supervisorctl: controls a running supervisord, by one command or in a shell. Entry point: [`main`].

mod command_line;
mod error;
mod log_stream;
mod options;
mod output;
pub mod reference;
mod selector;
mod session;
mod shell;
mod struct_view;
mod terminal;
mod verb;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub use options::help;
use options::{Invocation, Options};
use output::buffer::{OutputBuffer, report_output_error};
use session::Session;
pub use verb::events;

/// The default name of the command.
const COMMAND: &str = "supervisorctl";
/// The exit status for an invalid command line or configuration, as in the original.
const USAGE_STATUS: u8 = 2;

/// Runs supervisorctl; `args` do not include the command's name.
///
/// Returns the verb's exit status as in the original, 0 after a shell, and 2 for an invalid command line or configuration.
pub fn main(args: &[String]) -> ExitCode {
    let progname = progname();
    match options::parse(&progname, args) {
        Invocation::Help(text) => print(&text),
        Invocation::Refused(message) => {
            let _ = write!(io::stderr(), "Error: {message}\nFor help, use {progname} -h\n");
            ExitCode::from(USAGE_STATUS)
        }
        Invocation::Once(options, line) => run_once(options, &line),
        Invocation::Shell(options) => shell::run(Session::new(options)),
    }
}

fn print(text: &str) -> ExitCode {
    let mut screen = OutputBuffer::new(Box::new(io::stdout()));
    screen.push(text.as_bytes());
    screen.flush();
    if report_output_error(screen.failure()) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_once(options: Options, line: &str) -> ExitCode {
    let mut session = Session::new(options);
    shell::execute::execute(&mut session, line);
    session.flush();
    if report_output_error(session.output_error()) {
        session.status = session::exit_status::GENERIC;
    }
    ExitCode::from(session.status)
}

/// The name by which the process was started, for messages in the original's form.
fn progname() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let by_own_name = Path::new(&called).file_name().is_some_and(|name| name == COMMAND);
    if by_own_name { called } else { COMMAND.to_owned() }
}
