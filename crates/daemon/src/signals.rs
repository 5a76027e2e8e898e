//! The signals the daemon answers, as a descriptor to read them from: no handler runs in the middle of something.

use std::io;
use std::os::fd::AsFd;

use nix::sys::signal::{SigSet, Signal as Kernel};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::child::reap;
use crate::readable_fd::ReadableFd;

/// A signal the daemon answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DaemonSignal {
    /// SIGTERM: shut down.
    Terminate,
    /// SIGINT: shut down.
    Interrupt,
    /// SIGQUIT: shut down.
    Quit,
    /// SIGHUP: start anew with the configuration of now.
    HangUp,
    /// SIGCHLD: children have ended.
    Child,
    /// SIGUSR2: open the logs anew.
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

/// The signals that have arrived. Those of one kind that arrive before they are taken are one.
#[derive(Debug)]
pub(crate) struct SignalReceiver {
    fd: SignalFd,
    /// There is no runtime at first.
    readiness: Option<ReadableFd>,
    /// There may be some that nobody has taken.
    unread: bool,
}

impl SignalReceiver {
    /// From now on signals wait here instead of ending the process, also in threads that are started later. To be
    /// called before there are any, and before children are started: what is blocked is freed in them again.
    pub(crate) fn new() -> io::Result<Self> {
        reap::keep_exit_statuses();
        let mut set = SigSet::empty();
        DaemonSignal::ALL.iter().for_each(|(_, kernel)| set.add(*kernel));
        let mut blocked = set;
        // Nobody waits for this one: a log that grows beyond RLIMIT_FSIZE is an error of write(2), and no reason to die.
        blocked.add(Kernel::SIGXFSZ);
        blocked.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { fd, readiness: None, unread: true })
    }

    /// Has the runtime watch them; to be called in it, before [`Signals::next`]. The error is that of epoll_ctl(2).
    pub(crate) fn enter_runtime(&mut self) -> io::Result<()> {
        self.readiness = Some(ReadableFd::new(self.fd.as_fd())?);
        Ok(())
    }

    /// Waits for the next one. Nothing is lost if the waiting is given up. The error is that of the runtime.
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

/// The next one that has arrived; does not wait.
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
        // The signals go to this thread only, so that other tests do not see them.
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
            timeout(Duration::from_millis(50), signals.next()).await.unwrap_err();
            raise(Kernel::SIGHUP).unwrap();
            let signal = timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap();
            assert_eq!(signal, DaemonSignal::HangUp);
        });
    }
}
