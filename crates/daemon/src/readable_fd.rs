//! A descriptor of our own in tokio's poller: [`ReadableFd`] keeps the promise that it stays open.
#![expect(unsafe_code, reason = "tokio asks for a promise that a descriptor stays open; the type keeps it")]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits until a descriptor is readable. It owns a duplicate, so the original may be closed at any time.
#[derive(Debug)]
pub(crate) struct ReadableFd(AsyncFd<OwnedFd>);

impl ReadableFd {
    /// Registers `fd`. To be called in the runtime.
    ///
    /// Errors: dup(2) fails, or the kernel cannot poll such a file.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let copy = fd.try_clone_to_owned()?;
        // SAFETY: the duplicate belongs to the AsyncFd alone, which neither closes nor replaces it while it is
        // registered.
        let watched = unsafe { AsyncFd::register_with_interest(copy, Interest::READABLE) };
        Ok(Self(watched.map_err(|error| error.into_parts().1)?))
    }

    /// Waits for new data (edge-triggered): read until there is none before waiting again. Cancel safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.0.readable().await.map(|mut guard| guard.clear_ready())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn each_arrival_is_reported_once_also_after_the_original_was_closed() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let watched = ours.try_clone().unwrap();
        let readable = ReadableFd::new(watched.as_fd()).unwrap();
        drop(watched);
        for _ in 0..2 {
            theirs.write_all(b"x").unwrap();
            timeout(DEADLINE, readable.readable()).await.unwrap().unwrap();
            assert_eq!(ours.read(&mut [0; 10]).unwrap(), 1);
            timeout(Duration::ZERO, readable.readable()).await.unwrap_err();
        }
        drop(theirs);
        timeout(DEADLINE, readable.readable()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_regular_file_cannot_be_polled() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(ReadableFd::new(file.as_fd()).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
