//! The probe from outside: [`ProbeProcess`] starts it, gives it orders and takes its readings. No call blocks.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use ironlance_checks::probe::protocol::{self, LineBuffer, ProbeOrder, ProbeReading};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How long the probe may take to end.
const END: Duration = Duration::from_secs(1);
/// How much is read at a time, and in one call at most.
const READ_SIZE: usize = 64 * 1024;
const MAX_READS: usize = 16;

/// A probe that runs. Dropped, it is ended.
#[derive(Debug)]
pub(super) struct ProbeProcess {
    child: Child,
    orders: Option<ChildStdin>,
    readings: ChildStdout,
    /// Orders that its pipe does not hold yet.
    unsent: Vec<u8>,
    lines: LineBuffer,
}

impl ProbeProcess {
    /// Starts `program probe`.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg0("ironlance").arg("probe").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (orders, readings) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
        let probe =
            Self { child, orders: Some(orders), readings, unsent: Vec::new(), lines: LineBuffer::default() };
        if let Some(orders) = &probe.orders {
            rustix::io::ioctl_fionbio(orders, true)?;
        }
        rustix::io::ioctl_fionbio(&probe.readings, true)?;
        Ok(probe)
    }

    /// Gives an order; it is sent as soon as the pipe has room.
    pub(super) fn send(&mut self, order: &ProbeOrder) -> Result<(), String> {
        self.unsent.extend(protocol::line(order)?);
        self.flush();
        Ok(())
    }

    /// Sends what the pipe has room for. Where the probe is gone, its readings end.
    pub(super) fn flush(&mut self) {
        let Some(orders) = &mut self.orders else { return };
        while !self.unsent.is_empty() {
            match orders.write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// What has come. The error says that it ended, or cannot be understood.
    pub(super) fn readings(&mut self) -> Result<Vec<ProbeReading>, String> {
        let mut buffer = vec![0; READ_SIZE];
        let mut readings = Vec::new();
        for _ in 0..MAX_READS {
            let length = match self.readings.read(&mut buffer) {
                Ok(0) => return Err(self.end()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            };
            if !self.lines.push(&buffer[..length]) {
                return Err("its line is too long".to_owned());
            }
            while let Some(line) = self.lines.next_line() {
                readings
                    .push(protocol::parse(&line).map_err(|error| format!("cannot read its line: {error}"))?);
            }
        }
        Ok(readings)
    }

    /// What to wait for.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let orders = self.orders.as_ref().filter(|_| !self.unsent.is_empty());
        let orders = orders.map(|orders| (orders.as_fd(), PollFlags::OUT));
        std::iter::once((self.readings.as_fd(), PollFlags::IN)).chain(orders)
    }

    /// Ends it, and says how it ended.
    fn end(&mut self) -> String {
        self.orders = None;
        let exit = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty());
        let has_ended = |time: Duration| {
            let Ok(exit) = &exit else { return false };
            let timeout = Timespec::try_from(time).ok();
            poll(&mut [PollFd::new(exit, PollFlags::IN)], timeout.as_ref()).is_ok_and(|ready| ready > 0)
        };
        if !has_ended(END) {
            // It is our child and not reaped.
            let _ = self.child.kill();
            has_ended(END);
        }
        match self.child.try_wait() {
            Ok(Some(status)) => format!("it ended with {status}"),
            Ok(None) => "it does not end".to_owned(),
            Err(error) => format!("cannot wait for it: {error}"),
        }
    }
}

impl Drop for ProbeProcess {
    fn drop(&mut self) {
        self.end();
    }
}
