//! `echo_supervisord_conf`: prints the sample configuration.

use std::io::{self, Write};
use std::process::ExitCode;

use ironlance_core::cli::help::{CommandHelp, HelpSection};

/// The command. It ignores its arguments, as the original does.
pub(crate) fn main(_args: &[String]) -> ExitCode {
    match io::stdout().write_all(ironlance_config::SAMPLE.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The command's help, which it does not print itself.
pub(crate) fn help() -> CommandHelp {
    let text = "Prints a configuration file with every section and every key, each with its default and what it is for. \
                It can be used as it is; what is not needed stands behind semicolons. It takes no options.";
    CommandHelp {
        usage: "echo_supervisord_conf > supervisord.conf".to_owned(),
        sections: vec![HelpSection::of_text("", text)],
        subcommands: Vec::new(),
    }
}
