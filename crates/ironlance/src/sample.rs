//! `echo_supervisord_conf`: the sample configuration, to begin with.

use std::io::{self, Write};
use std::process::ExitCode;

/// The command. It takes no options, and minds none, as the original.
pub(crate) fn main(_args: &[String]) -> ExitCode {
    match io::stdout().write_all(ironlance_config::SAMPLE.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
