//! A descriptor of our own in tokio's poller: the one place that has to promise that it stays open.
#![expect(unsafe_code, reason = "tokio asks for a promise that a descriptor stays open; the type keeps it")]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Tells when a descriptor can be read. It has a copy of the descriptor, so the original may be closed at any time.
#[derive(Debug)]
pub(crate) struct ReadableFd(AsyncFd<OwnedFd>);

impl ReadableFd {
    /// Watches `fd`. To be called in the runtime.
    ///
    /// Errors: there is no descriptor for the copy, or the kernel cannot watch such a file.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let copy = fd.try_clone_to_owned()?;
        // SAFETY: the copy belongs to the AsyncFd alone, which neither closes nor replaces it while it is registered.
        let watched = unsafe { AsyncFd::register_with_interest(copy, Interest::READABLE) };
        Ok(Self(watched.map_err(|error| error.into_parts().1)?))
    }

    /// Waits until there is something to read that was not there before. Who is told so has to read until there is
    /// nothing more. Nothing is lost if the waiting is given up.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(|mut guard| guard.clear_ready())
    }
}
