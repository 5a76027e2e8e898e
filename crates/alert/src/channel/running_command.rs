//! A command that takes a message on its standard input: [`RunningCommand`], for the channels that run one. Its process group
//! ends with it, and its time is limited.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ironlance_core::redact::Secrets;
use rustix::fs::MemfdFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::output_relay::OutputRelay;
use crate::readiness::is_readable_within;

/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// A command that was started.
pub(crate) struct RunningCommand {
    child: Child,
    /// Its stderr and stdout.
    output: [OutputRelay; 2],
}

/// Why a command has no exit status of its own.
#[derive(Debug)]
pub(crate) enum CommandFault {
    /// It did not end in time, and was killed.
    Late,
    /// It cannot be waited for.
    Wait(io::Error),
}

impl RunningCommand {
    /// Starts the command. Its standard input is a file with the whole message: it gets all of it even if we die, and a
    /// command that does not read cannot block us. Its output goes to our stderr by a relay, so that a broken stderr does
    /// not kill it.
    pub(crate) fn start(command: &mut Command, message: &[u8], secrets: &Arc<Secrets>) -> io::Result<Self> {
        let mut input = File::from(rustix::fs::memfd_create("message", MemfdFlags::CLOEXEC)?);
        input.write_all(message)?;
        input.rewind()?;
        let (printed, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (complained, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        let relay = |pipe| OutputRelay::start(File::from(pipe), Arc::clone(secrets));
        let output = [relay(complained)?, relay(printed)?];
        let child = command
            .stdin(input)
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr))
            .process_group(0)
            .spawn()?;
        Ok(Self { child, output })
    }

    /// Waits for the command; kills its process group when its time is up. Gives the last line of its output as well, of
    /// stderr where there is one.
    pub(crate) fn finish(self, timeout: Duration) -> (Result<ExitStatus, CommandFault>, String) {
        let status = wait(self.child, timeout);
        let lines = self.output.map(OutputRelay::finish);
        (status, lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default())
    }
}

fn wait(mut child: Child, timeout: Duration) -> Result<ExitStatus, CommandFault> {
    let group = Pid::from_child(&child);
    let watch = pidfd_open(group, PidfdFlags::empty());
    let is_late = watch.is_ok_and(|watch| {
        let is_late = !is_readable_within(&watch, timeout);
        if is_late {
            // It is not reaped yet, so its process group is still its own. A child may outlive the shell.
            let _ = kill_process_group(group, Signal::TERM);
            is_readable_within(&watch, GRACE);
            let _ = kill_process_group(group, Signal::KILL);
        }
        is_late
    });
    let status = child.wait().map_err(CommandFault::Wait)?;
    if is_late { Err(CommandFault::Late) } else { Ok(status) }
}
