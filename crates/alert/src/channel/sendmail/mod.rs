//! A command that takes a mail on its standard input, run by `/bin/sh -c` as the originals do.

pub mod input_format;
mod output_relay;

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ironlance_core::redact::{Secrets, program_only};
use rustix::fs::MemfdFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{DeliveryChannel, DeliveryError, DeliveryProgress, Receipt};
use crate::alert::Alert;
use crate::readiness::is_readable_within;
use crate::render::mime;
use input_format::InputFormat;
use output_relay::OutputRelay;

/// How long a mailer may take; it only has to hand the mail on.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

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

    /// Starts the command. Its standard input is a file with the whole mail: it gets all of it even if we die, and a mailer
    /// that does not read cannot block us. Its output goes to our stderr by a relay, so that a broken stderr does not kill
    /// the mailer.
    fn start(&self, mail: &[u8]) -> io::Result<(Child, MailerOutput)> {
        let mut input = File::from(rustix::fs::memfd_create("mail", MemfdFlags::CLOEXEC)?);
        input.write_all(mail)?;
        input.rewind()?;
        let (printed, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (complained, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let relay = |pipe| OutputRelay::start(File::from(pipe), Arc::clone(&self.secrets));
        let output = [relay(complained)?, relay(printed)?];
        let child = Command::new("/bin/sh")
            .args(["-c", &self.command])
            .stdin(input)
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .process_group(0)
            .spawn()?;
        Ok((child, output))
    }

    /// Waits for the command; kills its process group when its time is up.
    fn outcome(&self, mut child: Child) -> Result<ExitStatus, String> {
        let group = Pid::from_child(&child);
        let watch = pidfd_open(group, PidfdFlags::empty());
        let is_late = watch.is_ok_and(|watch| {
            let is_late = !is_readable_within(&watch, self.timeout);
            if is_late {
                // It is not reaped yet, so its process group is still its own. A child may outlive the shell.
                let _ = kill_process_group(group, Signal::TERM);
                is_readable_within(&watch, GRACE);
                let _ = kill_process_group(group, Signal::KILL);
            }
            is_late
        });
        let status = child.wait().map_err(|error| format!("cannot wait for the mailer: {error}"))?;
        if is_late {
            return Err(format!("the mailer did not end within {} s", self.timeout.as_secs()));
        }
        Ok(status)
    }
}

/// The outputs of a mailer: stderr, stdout.
type MailerOutput = [OutputRelay; 2];

impl DeliveryChannel for Sendmail {
    fn send(&mut self, alert: &Alert, progress: &mut dyn DeliveryProgress) -> Result<Receipt, DeliveryError> {
        let mail = match self.input {
            InputFormat::Mail => mime::mail_for_command(alert),
            InputFormat::Body => mime::body_for_command(alert),
        };
        let (child, output) = self.start(&mail).map_err(|error| {
            DeliveryError::Unreachable(self.fault(&format!("cannot start the mailer: {error}"), ""))
        })?;
        progress.step(&format!("started {}", program_only(&self.command)));
        let status = self.outcome(child);
        // Its last line, of stderr where there is one.
        let last_line =
            output.map(OutputRelay::finish).into_iter().find(|line| !line.is_empty()).unwrap_or_default();
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
            Err(trouble) => trouble,
        };
        Err(DeliveryError::Unreachable(self.fault(&trouble, &last_line)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;

    fn send(command: &str, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let mut alert = Alert::sample(command, &"line\n".repeat(50_000));
        alert.subject = Some("hello".into());
        Sendmail { timeout, ..Sendmail::new(command, None) }.send(&alert, &mut ())
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
        let failed = |text: &str| Err(DeliveryError::Unreachable(text.into()));
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
            matches!(outcome, Err(DeliveryError::Unreachable(text)) if text.contains("did not end within"))
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
