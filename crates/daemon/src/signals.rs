//! The signals that the daemon handles: [`SignalReceiver`] reads them from a signalfd, so no handler interrupts
//! anything.

use std::io;
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::child::reap;
use crate::readable_fd::ReadableFd;

/// Three to shut down; to restart with the present configuration files; children have ended; reopen the logs.
const HANDLED: [Signal; 6] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGCHLD, Signal::SIGUSR2];

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
        let set = SigSet::from_iter(HANDLED);
        let mut blocked = set;
        // Blocked and never read: a log beyond RLIMIT_FSIZE is an error of write(2), and must not end the daemon.
        blocked.add(Signal::SIGXFSZ);
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
    pub(crate) async fn next(&mut self) -> io::Result<Signal> {
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
fn take(signals: &SignalFd) -> Option<Signal> {
    let info = signals.read_signal().ok().flatten()?;
    Signal::try_from(info.ssi_signo.cast_signed()).ok()
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
        for signal in [Signal::SIGUSR2, Signal::SIGTERM, Signal::SIGTERM] {
            raise(signal).unwrap();
        }
        runtime.block_on(async {
            signals.enter_runtime().unwrap();
            let mut names = Vec::new();
            for _ in 0..2 {
                let signal = timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap();
                names.push(signal.as_str());
            }
            names.sort_unstable();
            assert_eq!(names, ["SIGTERM", "SIGUSR2"]);
            // It would end the process by default; blocked, it is not reported either.
            raise(Signal::SIGXFSZ).unwrap();
            timeout(Duration::from_millis(50), signals.next()).await.unwrap_err();
            raise(Signal::SIGHUP).unwrap();
            let signal = timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap();
            assert_eq!(signal, Signal::SIGHUP);
        });
    }
}
