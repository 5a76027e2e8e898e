//! A command that takes a mail on its standard input, run by `/bin/sh -c` as the originals do.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{Channel, Progress, Receipt, Undelivered};
use crate::alert::Alert;
use crate::message;

/// How long a mailer may take; it only has to hand the mail on.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait for what it printed last.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// How long it may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// A sendmail command.
#[derive(Debug)]
pub struct Sendmail {
    command: String,
    timeout: Duration,
}

impl Sendmail {
    /// A command line for the shell.
    pub fn new(command: &str) -> Self {
        Self { command: command.to_owned(), timeout: TIMEOUT }
    }

    fn fault(&self, what: &str) -> String {
        format!("{what}: {}", self.command)
    }

    /// Starts the command. Its input is a file with the whole mail: should we die now, the mailer still gets all
    /// of it, and a mailer that does not read cannot hold us up. What it prints we pass on to our stderr, which may
    /// have nobody behind it any more: a mailer must not die of that.
    fn start(&self, mail: &[u8]) -> io::Result<(Child, Relay)> {
        let mut input = File::from(rustix::fs::memfd_create("mail", MemfdFlags::CLOEXEC)?);
        input.write_all(mail)?;
        input.rewind()?;
        let (printed, output) = pipe_with(PipeFlags::CLOEXEC)?;
        let relay = Relay::start(File::from(printed))?;
        let child = Command::new("/bin/sh")
            .args(["-c", &self.command])
            .stdin(input)
            .stdout(Stdio::from(output.try_clone()?))
            .stderr(Stdio::from(output))
            .process_group(0)
            .spawn()?;
        Ok((child, relay))
    }

    /// Waits for the command; ends it and all its helpers when its time is up.
    fn outcome(&self, mut child: Child) -> Result<ExitStatus, String> {
        let fault =
            |error: &dyn std::fmt::Display| self.fault(&format!("cannot wait for the mailer: {error}"));
        let group = Pid::from_child(&child);
        let watch = pidfd_open(group, PidfdFlags::empty()).map_err(|error| fault(&error));
        let in_time = watch.map(|watch| (ends_within(&watch, self.timeout), watch));
        if let Ok((false, watch)) = &in_time {
            // Not reaped yet, so the group's number is still its own. A helper may outlive its shell.
            let _ = kill_process_group(group, Signal::TERM);
            ends_within(watch, GRACE);
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = child.wait().map_err(|error| fault(&error))?;
        match in_time {
            Ok((true, _)) | Err(_) => Ok(status),
            Ok((false, _)) => {
                Err(self.fault(&format!("the mailer did not end within {} s", self.timeout.as_secs())))
            }
        }
    }
}

/// Whether a process ends before the time is up.
fn ends_within(process: &OwnedFd, time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left)) {
            Ok(0) => return false,
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
}

/// Passes on what a mailer prints, for as long as anybody holds the other end.
struct Relay {
    done: Receiver<()>,
}

impl Relay {
    fn start(mut printed: File) -> io::Result<Self> {
        let (ended, done) = channel();
        thread::Builder::new().spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(got) = printed.read(&mut buffer) {
                if got == 0 {
                    break;
                }
                let _ = io::stderr().lock().write_all(&buffer[..got]);
            }
            let _ = ended.send(());
        })?;
        Ok(Self { done })
    }

    /// Gives the last words of a mailer that has ended a moment to come through.
    fn finish(self) {
        let _ = self.done.recv_timeout(LAST_WORDS);
    }
}

impl Channel for Sendmail {
    fn send(&mut self, alert: &Alert, progress: &mut dyn Progress) -> Result<Receipt, Undelivered> {
        let (child, relay) = self.start(&message::for_command(alert)).map_err(|error| {
            Undelivered::Unreachable(self.fault(&format!("cannot start the mailer: {error}")))
        })?;
        progress.step(&format!("started {}", self.command));
        let status = self.outcome(child);
        relay.finish();
        let status = status.map_err(Undelivered::Unreachable)?;
        let trouble = match (status.code(), status.signal()) {
            (Some(0), _) => {
                progress.step("the mailer ended with status 0: it has taken the mail");
                return Ok(Receipt::default());
            }
            // What a shell says of a command that it cannot find or run.
            (Some(code @ (126 | 127)), _) => format!("the mailer is missing or cannot be run, status {code}"),
            (Some(code), _) => format!("the mailer ended with status {code}"),
            (None, signal) => format!("the mailer was ended by signal {}", signal.unwrap_or_default()),
        };
        Err(Undelivered::Unreachable(self.fault(&trouble)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Entry, Form};
    use crate::route::{Route, Transport};
    use std::fs;
    fn send(command: &str, timeout: Duration) -> Result<Receipt, Undelivered> {
        let alert = Alert {
            id: "1".into(),
            origin: "test".into(),
            host: "web1".into(),
            created: 0,
            route: Route {
                transport: Transport::Sendmail { command: command.into() },
                from: None,
                to: vec!["ops@example.com".into()],
            },
            subject: Some("hello".into()),
            form: Form::Mail,
            entries: vec![Entry { text: "line\n".repeat(50_000), details: None }],
        };
        Sendmail { command: command.into(), timeout }.send(&alert, &mut ())
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
    fn failures_name_the_command_and_its_status() {
        let failed = |text: &str| Err(Undelivered::Unreachable(text.into()));
        assert_eq!(send("exit 75", TIMEOUT), failed("the mailer ended with status 75: exit 75"));
        assert_eq!(send("kill -9 $$", TIMEOUT), failed("the mailer was ended by signal 9: kill -9 $$"));
        let missing = "the mailer is missing or cannot be run, status 127: /nonexistent/sendmail -t";
        assert_eq!(send("/nonexistent/sendmail -t", TIMEOUT), failed(missing));
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
            matches!(outcome, Err(Undelivered::Unreachable(text)) if text.contains("did not end within"))
        );
        assert!(started.elapsed() < Duration::from_secs(20));
        let pid = fs::read_to_string(pid_file).unwrap();
        // A process that nobody has reaped yet is gone as well.
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
        };
        while lives() {
            assert!(started.elapsed() < Duration::from_secs(20), "{pid} lives");
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}
