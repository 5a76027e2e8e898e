//! Parses the command lines of our own commands with clap: exit status 2 for errors, 1 if help cannot be written.

use std::io::{self, Write};
use std::iter::once;
use std::process::ExitCode;

use clap::Parser;

/// The arguments of the command `name`, given without it; `Err` is the status to end with, once help or the reason has
/// been printed: 0 for help, 2 for an error, 1 if help could not be written.
pub(crate) fn parse<A: Parser>(name: &str, args: &[String]) -> Result<A, ExitCode> {
    A::try_parse_from(once(name.to_owned()).chain(args.iter().cloned())).map_err(|error| {
        let printed = error.print().and_then(|()| io::stdout().flush());
        let status = u8::try_from(error.exit_code()).unwrap_or(2);
        ExitCode::from(if printed.is_err() { status.max(1) } else { status })
    })
}
