//! Signals that ask `watch` for something: [`SignalFlags`].

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// What signals have asked for.
#[derive(Debug)]
pub(crate) struct SignalFlags {
    reload: Arc<AtomicBool>,
    end: Arc<AtomicBool>,
    wake: UnixStream,
}

impl SignalFlags {
    /// Receives SIGHUP, SIGTERM and SIGINT from now on.
    pub(crate) fn install() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        sender.set_nonblocking(true)?;
        let flags = Self { reload: Arc::default(), end: Arc::default(), wake };
        for (signal, flag) in [(SIGHUP, &flags.reload), (SIGTERM, &flags.end), (SIGINT, &flags.end)] {
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(flags)
    }

    /// To be polled for reading.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Takes what woke the poll.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 64];
        while self.wake.read(&mut buffer).is_ok_and(|read| read > 0) {}
    }

    /// Whether the configuration is to be read again; asked once.
    pub(crate) fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }

    /// Whether the process is to end.
    pub(crate) fn must_end(&self) -> bool {
        self.end.load(Ordering::Relaxed)
    }
}
