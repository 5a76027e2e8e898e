//! The six commands: options, rule, probe and post, wired together.

mod alert_context;
pub mod batch;
pub mod crashmail;
pub mod httpok;
pub mod memmon;
mod start_check;
mod test_alert;

pub use test_alert::LOGIN_REFUSED;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Duration;

use crate::environment::host_name;
use crate::options::{OptionsEnv, Parsed};
use crate::protocol::{self, EventHandler};
use crate::write_log;

/// Reads a command line in the environment that there is; `Err` when the command ends here.
fn options<T>(
    parse: impl FnOnce(&[String], &OptionsEnv<'_>) -> Parsed<T>,
    args: &[String],
) -> Result<T, ExitCode> {
    let variable = |name: &str| std::env::var(name).ok();
    match parse(args, &OptionsEnv { variable: &variable, host: &host_name() }) {
        Parsed::Run(options) => Ok(options),
        Parsed::Exit { code, stdout, stderr } => {
            let _ = io::stdout().write_all(stdout.as_bytes());
            write_log(&stderr);
            Err(ExitCode::from(code))
        }
    }
}

/// Whether an event is a tick to httpok and memmon: the original looks no further than this.
fn is_tick(event_name: &str) -> bool {
    event_name.starts_with("TICK")
}

/// Why there is no mail about a trouble that lasts.
fn suppressed_note(about: &str, ago: Duration) -> String {
    format!("no mail about {about}: the same was mailed {} s ago (--remind)", ago.as_secs())
}

/// Takes events from supervisord until it ends, or cannot be understood.
fn listen(command: &str, handler: &mut dyn EventHandler) -> ExitCode {
    // Std's stdout gives each line to the kernel by itself, and a RESULT is a line and a half.
    let stdout = match io::stdout().as_fd().try_clone_to_owned() {
        Ok(stdout) => File::from(stdout),
        Err(error) => {
            write_log(&format!("{command}: cannot talk to the supervisor: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    match protocol::serve(io::stdin().lock(), stdout, handler) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            write_log(&format!("{command}: {error}\n"));
            ExitCode::FAILURE
        }
    }
}
