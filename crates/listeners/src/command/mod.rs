//! The six commands: each wires options, rule, probe and alerts together, and decides nothing itself.
//!
//! What they share is here: reading options, the supervisord that must be there, [`CommandLogic`] and [`listen`].

mod alert_context;
pub mod batch;
pub mod crashmail;
pub mod httpok;
pub mod memmon;
mod start_check;
mod test_alert;

pub use test_alert::LOGIN_REFUSED;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::Instant;

use ironlance_alert::Submitter;
use ironlance_rpc::Client;

use crate::environment::{ListenerEnv, host_name};
use crate::event_input::EventInput;
use crate::options::{Options, OptionsEnv, Parsed};
use crate::protocol::{self, EventHandler, ReceivedEvent, ServeError};
use crate::rule::reminder::{MailDecision, RemindInterval, Reminder};
use crate::{note, write_log};
use alert_context::AlertContext;

/// Reads a command line in the environment of this process; `Err` when the command ends here, as with `--test-alert`.
fn options<O>(
    command: &str,
    parse: impl FnOnce(&[String], &OptionsEnv<'_>) -> Parsed<Options<O>>,
    args: &[String],
) -> Result<Options<O>, ExitCode> {
    let variable = |name: &str| std::env::var(name).ok();
    match parse(args, &OptionsEnv { variable: &variable, host: &host_name() }) {
        Parsed::Run(options) if !options.test_alert => Ok(options),
        Parsed::Run(Options { destination, ignored, .. }) => Err(match &destination.receiver {
            Some(receiver) => test_alert::run(command, receiver, &ignored),
            None => ExitCode::FAILURE,
        }),
        Parsed::Exit { code, stdout, stderr } => {
            let _ = io::stdout().write_all(stdout.as_bytes());
            write_log(&stderr);
            Err(ExitCode::from(code))
        }
    }
}

/// The supervisord that started this listener; without one the command ends with `missing`.
fn require_supervisor(
    command: &str,
    environment: &ListenerEnv,
    missing: ExitCode,
) -> Result<Client, ExitCode> {
    match environment.supervisor() {
        Ok(Some(supervisor)) => Ok(supervisor),
        Ok(None) => {
            write_log(&format!("{command} must be run as a supervisor event listener\n"));
            Err(missing)
        }
        Err(error) => Err(fail(command, &error)),
    }
}

/// Writes why a command cannot run.
fn fail(command: &str, error: &dyn Display) -> ExitCode {
    write_log(&format!("{command}: {error}\n"));
    ExitCode::FAILURE
}

/// Whether an event is a tick to httpok and memmon, which like the original look at no more than this.
fn is_tick(event_name: &str) -> bool {
    event_name.starts_with("TICK")
}

/// The subject of a mail of httpok or memmon; `name` is that of `--name`.
fn subject(command: &str, name: Option<&str>, subject: &str) -> String {
    match name {
        None => format!("{command}: {subject}"),
        Some(name) => format!("{command} [{name}]: {subject}"),
    }
}

/// A [`Reminder`] on the clock of this process: a problem that lasts is mailed once per interval.
struct ReminderClock {
    reminder: Reminder,
    start: Instant,
}

impl ReminderClock {
    fn new(interval: RemindInterval) -> Self {
        Self { reminder: Reminder::new(interval.0), start: Instant::now() }
    }

    /// Whether a problem is mailed now; a repetition is noted in the log, under the name `shown`.
    fn is_due(&mut self, about: &str, key: &str, shown: &str) -> bool {
        match self.reminder.on_problem(about, key, self.start.elapsed()) {
            MailDecision::Send => true,
            MailDecision::Suppress(ago) => {
                let ago = ago.as_secs();
                note(&[format!("no mail about {shown}: the same was mailed {ago} s ago (--remind)")]);
                false
            }
        }
    }
}

/// What one command does with an event; [`Listener`] does what all of them have in common.
trait CommandLogic {
    /// Whether it uses events of this type.
    fn wants(&self, event_name: &str) -> bool;

    /// Deals with one event.
    fn handle(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent);
}

/// A command with its alerts, as a handler of the event protocol.
struct Listener<C> {
    alerts: AlertContext,
    command: C,
}

impl<C: CommandLogic> EventHandler for Listener<C> {
    fn wants(&self, event_name: &str) -> bool {
        self.command.wants(event_name)
    }

    fn handle(&mut self, received: &ReceivedEvent) {
        if let Some(submitter) = &mut self.alerts.submitter {
            submitter.kick_stale();
        }
        self.command.handle(&mut self.alerts, received);
    }

    fn answered(&mut self) {
        if let Some(submitter) = &mut self.alerts.submitter {
            submitter.ack();
        }
    }

    fn ended(&mut self) {
        self.alerts.submitter.iter().for_each(Submitter::close);
    }
}

/// Takes events from supervisord until it ends, or cannot be understood.
fn listen(name: &str, alerts: AlertContext, command: impl CommandLogic) -> ExitCode {
    // Std's stdout gives each line to the kernel by itself, and a RESULT is a line and a half.
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let (stdin, stdout) = match stdout.and_then(|stdout| Ok((EventInput::stdin()?, stdout))) {
        Ok((stdin, stdout)) => (stdin, File::from(stdout)),
        Err(error) => return fail(name, &ServeError::Io(error)),
    };
    match protocol::serve(stdin, stdout, &mut Listener { alerts, command }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(name, &error),
    }
}
