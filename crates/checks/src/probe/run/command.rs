//! A check by a command: [`run`]. It has a process group of its own, which is killed when the command has ended or its run
//! is dropped; its output is read to the end and only the last line is used.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

use ironlance_core::redact::{Secrets, program_only};
use ironlance_core::signal;
use ironlance_core::text::escape::escape_controls;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::unix::pipe;

use crate::probe::judge::RunOutcome;

/// The most of the output that is kept, in bytes.
const MAX_TAIL: usize = 4096;
/// The longest line that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// Runs a command until it ends.
pub(super) async fn run(argv: &[String]) -> RunOutcome {
    let Some((program, args)) = argv.split_first() else {
        return RunOutcome::Unable("there is no command".to_owned());
    };
    let fault = |error: io::Error| {
        let program = program_only(program);
        RunOutcome::Unable(format!("cannot run {program}: {}", plain_io(&error)))
    };
    let mut started = match StartedCommand::start(program, args) {
        Ok(started) => started,
        Err(error) => return fault(error),
    };
    let mut tail = Tail::default();
    if let Err(error) = started.wait(&mut tail).await {
        return fault(error);
    }
    match started.end() {
        Ok(status) => judged(status, &tail.last_line(), argv),
        Err(error) => fault(error),
    }
}

fn judged(status: ExitStatus, last_line: &str, argv: &[String]) -> RunOutcome {
    let what = match (status.code(), status.signal()) {
        (Some(0), _) => return RunOutcome::Well,
        (Some(code), _) => format!("exit status {code}"),
        (None, number) => format!("killed by {}", signal::name(number.unwrap_or_default())),
    };
    let line = Secrets::of(&argv.join(" ")).hide(last_line);
    let colon = if line.is_empty() { "" } else { ": " };
    RunOutcome::Wrong(format!("{what}{colon}{line}"))
}

/// The words of the kernel without a number.
fn plain_io(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A command that runs. Dropped, it is killed with its process group.
struct StartedCommand {
    child: Option<Child>,
    group: Pid,
    exit: AsyncFd<OwnedFd>,
    output: pipe::Receiver,
}

impl StartedCommand {
    fn start(program: &str, args: &[String]) -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let output = pipe::Receiver::from_owned_fd(read)?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write).process_group(0);
        let child = command.spawn()?;
        // The command holds our copies of the pipe's end.
        drop(command);
        let group = Pid::from_child(&child);
        let exit = pidfd_open(group, PidfdFlags::empty()).map_err(io::Error::from).and_then(watched);
        match exit {
            Ok(exit) => Ok(Self { child: Some(child), group, exit, output }),
            Err(error) => {
                kill_group(group);
                let mut child = child;
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Waits until it has exited, and reads what it writes.
    async fn wait(&mut self, tail: &mut Tail) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                read = self.output.read(&mut buffer), if is_open => match read {
                    Ok(0) | Err(_) => is_open = false,
                    Ok(length) => tail.push(&buffer[..length]),
                },
                exited = self.exit.readable() => {
                    let _ = exited?;
                    return Ok(());
                }
            }
        }
    }

    /// The status of a command that has exited. What it left running in its group is killed.
    fn end(mut self) -> io::Result<ExitStatus> {
        kill_group(self.group);
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Ok(ExitStatus::default()),
        }
    }
}

impl Drop for StartedCommand {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        kill_group(self.group);
        // A process that hangs in the kernel must not hold the others up.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            drop(runtime.spawn_blocking(move || child.wait()));
        }
    }
}

/// A process to be waited for.
#[expect(
    deprecated,
    reason = "unsound only for types whose descriptor changes; the other functions are unsafe"
)]
fn watched(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(process, Interest::READABLE)
}

/// Its leader is not reaped yet, so the group is still its own.
fn kill_group(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
}

/// The end of an output.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let surplus = self.0.len().saturating_sub(MAX_TAIL);
        self.0.drain(..surplus);
    }

    /// The last line that is not empty, for display.
    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        escape_controls(&line.chars().take(MAX_SHOWN).collect::<String>())
    }
}
