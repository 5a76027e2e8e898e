//! `echo_supervisord_conf`: prints the sample configuration.

use std::io::{self, Write};
use std::process::ExitCode;

/// The command. It ignores its arguments, as the original does.
pub(crate) fn main(_args: &[String]) -> ExitCode {
    match io::stdout().write_all(ironlance_config::SAMPLE.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
