//! Processes as the owner starts, signals and reaps them: [`Children`], which a test replaces.

use std::io;

use ironlance_core::process::exit_status::ExitStatus;
use ironlance_core::process::lifecycle::SignalTarget;

use crate::child::exec_errors::ExecErrorPipe;
use crate::child::spawn::{SpawnError, SpawnOptions, SpawnedChild};
use crate::child::{kill, reap, spawn};

/// The system calls that make, signal and reap processes.
pub(crate) trait Children {
    /// Starts a child.
    fn spawn(&mut self, options: &SpawnOptions<'_>) -> Result<SpawnedChild, SpawnError>;
    /// Sends a signal. The error is that of kill(2).
    fn kill(&mut self, pid: u32, signal: i32, target: SignalTarget) -> io::Result<()>;
    /// All children that have exited since the last call, ours and those that were left to us as PID 1.
    fn reap(&mut self) -> Vec<(u32, ExitStatus)>;
    /// The step between fork and exec that failed in a child that was reaped, and why.
    fn exec_error(&mut self, pid: u32) -> Option<String>;
}

/// The kernel's.
pub(crate) struct KernelChildren(pub(crate) ExecErrorPipe);

impl Children for KernelChildren {
    fn spawn(&mut self, options: &SpawnOptions<'_>) -> Result<SpawnedChild, SpawnError> {
        spawn::spawn(options, &self.0)
    }

    fn kill(&mut self, pid: u32, signal: i32, target: SignalTarget) -> io::Result<()> {
        kill::kill(pid, signal, target)
    }

    fn reap(&mut self) -> Vec<(u32, ExitStatus)> {
        let mut reaped = Vec::new();
        reap::reap(&mut |pid, status| reaped.push((pid, status)));
        reaped
    }

    fn exec_error(&mut self, pid: u32) -> Option<String> {
        self.0.take(pid)
    }
}
