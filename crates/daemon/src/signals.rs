//! The signals that the daemon handles: [`SignalReceiver`] reads them from a signalfd, so no handler interrupts
//! anything.

use std::io;
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, Signal as Kernel};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::child::reap;
use crate::readable_fd::ReadableFd;

/// A signal that the daemon handles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DaemonSignal {
    /// SIGTERM: shut down.
    Terminate,
    /// SIGINT: shut down.
    Interrupt,
    /// SIGQUIT: shut down.
    Quit,
    /// SIGHUP: restart with the present configuration files.
    HangUp,
    /// SIGCHLD: children have ended.
    Child,
    /// SIGUSR2: reopen the logs.
    User2,
}

impl DaemonSignal {
    const ALL: [(Self, Kernel); 6] = [
        (Self::Terminate, Kernel::SIGTERM),
        (Self::Interrupt, Kernel::SIGINT),
        (Self::Quit, Kernel::SIGQUIT),
        (Self::HangUp, Kernel::SIGHUP),
        (Self::Child, Kernel::SIGCHLD),
        (Self::User2, Kernel::SIGUSR2),
    ];

    /// `SIGTERM` and so on.
    pub(crate) fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(signal, _)| *signal == self);
        known.map_or("", |(_, kernel)| kernel.as_str())
    }

    fn of(number: u32) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, kernel)| (*kernel as i32).unsigned_abs() == number);
        known.map(|(signal, _)| *signal)
    }
}

/// Signals that have arrived. Two of one kind that were not read yet are one.
#[derive(Debug)]
pub(crate) struct SignalReceiver {
    fd: SignalFd,
    /// None before there is a runtime.
    readiness: Option<ReadableFd>,
    /// Whether the descriptor may hold signals that were not read.
    unread: bool,
}

impl SignalReceiver {
    /// Blocks the signals, in threads that are started later as well. To be called before there are threads, and
    /// before children are started, which unblock them again.
    pub(crate) fn new() -> io::Result<Self> {
        reap::keep_exit_statuses();
        let mut set = SigSet::empty();
        DaemonSignal::ALL.iter().for_each(|(_, kernel)| set.add(*kernel));
        let mut blocked = set;
        // Blocked and never read: a log beyond RLIMIT_FSIZE is an error of write(2), and must not end the daemon.
        blocked.add(Kernel::SIGXFSZ);
        blocked.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { fd, readiness: None, unread: true })
    }

    /// Registers the descriptor with the runtime; to be called in it, before [`SignalReceiver::next`]. The error is
    /// that of epoll_ctl(2).
    pub(crate) fn enter_runtime(&mut self) -> io::Result<()> {
        self.readiness = Some(ReadableFd::new(self.fd.as_fd())?);
        Ok(())
    }

    /// Waits for the next signal. Cancel safe. The error is that of the runtime.
    pub(crate) async fn next(&mut self) -> io::Result<DaemonSignal> {
        loop {
            if self.unread {
                let signal = take(&self.fd);
                self.unread = signal.is_some();
                if let Some(signal) = signal {
                    return Ok(signal);
                }
            }
            let readiness = self.readiness.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            readiness.readable().await?;
            self.unread = true;
        }
    }
}

/// The next signal that has arrived. Does not block.
fn take(signals: &SignalFd) -> Option<DaemonSignal> {
    loop {
        let info = signals.read_signal().ok().flatten()?;
        if let Some(signal) = DaemonSignal::of(info.ssi_signo) {
            return Some(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::raise;
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn signals_arrive_as_values_once_for_each_kind() {
        let mut signals = SignalReceiver::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // raise(3) signals this thread only, so other tests do not see it.
        for signal in [Kernel::SIGUSR2, Kernel::SIGTERM, Kernel::SIGTERM] {
            raise(signal).unwrap();
        }
        runtime.block_on(async {
            signals.enter_runtime().unwrap();
            let mut names = Vec::new();
            for _ in 0..2 {
                let signal = timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap();
                names.push(signal.name());
            }
            names.sort_unstable();
            assert_eq!(names, ["SIGTERM", "SIGUSR2"]);
            // It would end the process by default; blocked, it is not reported either.
            raise(Kernel::SIGXFSZ).unwrap();
            timeout(Duration::from_millis(50), signals.next()).await.unwrap_err();
            raise(Kernel::SIGHUP).unwrap();
            let signal = timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap();
            assert_eq!(signal, DaemonSignal::HangUp);
        });
    }
}
