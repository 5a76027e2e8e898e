//! A command that takes a mail on its standard input, run by `/bin/sh -c` as the originals do.

pub mod input_format;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ironlance_core::redact::{Secrets, program_only};

use super::running_command::{CommandFault, RunningCommand};
use super::{DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt};
use crate::render::mime;
use input_format::InputFormat;

/// How long a mailer may take; it only has to hand the mail on.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A sendmail command. Its command line may hold a password: people are shown its program alone.
#[derive(Debug)]
pub struct Sendmail {
    command: String,
    input: InputFormat,
    secrets: Arc<Secrets>,
    timeout: Duration,
}

impl Sendmail {
    /// A command line for the shell, and what it takes; by default what its name says.
    pub fn new(command: &str, input: Option<InputFormat>) -> Self {
        let input = input.unwrap_or_else(|| input_format::of_command_line(command));
        let secrets = Arc::new(Secrets::of(command));
        Self { command: command.to_owned(), input, secrets, timeout: TIMEOUT }
    }

    /// A reason: what went wrong, the program, and the last line of its output.
    fn fault(&self, what: &str, last_line: &str) -> String {
        let colon = if last_line.is_empty() { "" } else { ": " };
        format!("{what} ({}){colon}{last_line}", program_only(&self.command))
    }
}

impl DeliveryChannel for Sendmail {
    fn send(
        &mut self,
        outgoing: &OutgoingAlert<'_>,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<Receipt, DeliveryError> {
        let mail = match self.input {
            InputFormat::Mail => mime::mail_for_command(outgoing.alert, outgoing.late),
            InputFormat::Body => mime::body_for_command(outgoing.alert, outgoing.late),
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.command]);
        let running = RunningCommand::start(&mut command, &mail, &self.secrets).map_err(|error| {
            DeliveryError::unreachable(self.fault(&format!("cannot start the mailer: {error}"), ""))
        })?;
        progress.step(&format!("started {}", program_only(&self.command)));
        let (status, last_line) = running.finish(self.timeout);
        let trouble = match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(0), _)) => {
                progress.step("the mailer ended with status 0: it has taken the mail");
                return Ok(Receipt::default());
            }
            // The status of a shell that cannot find or run a command.
            Ok((Some(code @ (126 | 127)), _)) => {
                format!("the mailer is missing or cannot be run, status {code}")
            }
            Ok((Some(code), _)) => format!("the mailer ended with status {code}"),
            Ok((None, signal)) => format!("the mailer was ended by signal {}", signal.unwrap_or_default()),
            Err(CommandFault::Wait(error)) => format!("cannot wait for the mailer: {error}"),
            Err(CommandFault::Late) => {
                format!("the mailer did not end within {} s", self.timeout.as_secs())
            }
        };
        Err(DeliveryError::unreachable(self.fault(&trouble, &last_line)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use crate::alert::Alert;

    use super::*;

    fn send(command: &str, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let mut alert = Alert::sample(command, &"line\n".repeat(50_000));
        alert.subject = Some("hello".into());
        Sendmail { timeout, ..Sendmail::new(command, None) }.send(&(&alert).into(), &mut ())
    }

    #[test]
    fn the_mailer_gets_the_whole_mail() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mail");
        assert!(send(&format!("cat > {}", file.display()), TIMEOUT).is_ok());
        let mail = fs::read_to_string(file).unwrap();
        assert!(mail.starts_with("To: ops@example.com\nSubject: hello\n"));
        assert!(mail.len() > 250_000);
    }

    #[test]
    fn a_mailer_that_does_not_read_is_no_trouble() {
        assert_eq!(send("exit 0", TIMEOUT), Ok(Receipt::default()));
    }

    #[test]
    fn failures_name_the_program_its_status_and_its_last_line() {
        let failed = |text: &str| Err(DeliveryError::unreachable(text));
        assert_eq!(send("exit 75", TIMEOUT), failed("the mailer ended with status 75 (exit …)"));
        assert_eq!(send("kill -9 $$", TIMEOUT), failed("the mailer was ended by signal 9 (kill …)"));
        let spoken = "printf 'one\\n\\033two\\n\\n' >&2; echo three; exit 1";
        assert_eq!(send(spoken, TIMEOUT), failed("the mailer ended with status 1 (printf …): \\x1btwo"));
        let on_stdout = "the mailer ended with status 1 (echo …): three";
        assert_eq!(send("echo three; exit 1", TIMEOUT), failed(on_stdout));
        let missing = send("/nonexistent/sendmail -t", TIMEOUT).unwrap_err();
        let known = "the mailer is missing or cannot be run, status 127 (/nonexistent/sendmail …): ";
        assert!(
            missing.reason().starts_with(known) && missing.reason().ends_with("not found"),
            "{missing:?}"
        );
    }

    #[test]
    fn a_password_in_the_command_line_never_comes_out_of_it() {
        let command = "f() { echo \"cannot log in as joe with $4\" >&2; return 1; }; f -xu joe -xp hunter2";
        let reason = send(command, TIMEOUT).unwrap_err().reason().to_owned();
        assert_eq!(reason, "the mailer ended with status 1 (f() …): cannot log in as joe with ***");
    }

    #[test]
    fn a_command_that_takes_a_body_gets_what_superlance_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mail");
        let keep = format!("mail() {{ cat > {}; }}; mail ops", file.display());
        assert!(send(&keep, TIMEOUT).is_ok());
        let mail = fs::read_to_string(file).unwrap();
        assert!(mail.starts_with("To: ops@example.com\nSubject: hello\n\nline\n"), "{}", &mail[..200]);
    }

    #[test]
    fn a_hanging_mailer_is_ended_with_its_helpers() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let started = Instant::now();
        let command = format!(
            "(trap '' TERM; echo $(exec sh -c 'echo $PPID') > {}; sleep 100; sleep 100) | sleep 100",
            pid_file.display()
        );
        let outcome = send(&command, Duration::from_millis(300));
        assert!(
            matches!(outcome, Err(DeliveryError::Unreachable { reason, .. }) if reason.contains("did not end within"))
        );
        assert!(started.elapsed() < Duration::from_secs(20));
        let pid = fs::read_to_string(pid_file).unwrap();
        // A zombie counts as ended.
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
        };
        while lives() {
            assert!(started.elapsed() < Duration::from_secs(20), "{pid} lives");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}
