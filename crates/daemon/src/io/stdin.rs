//! A child's standard input, [`ChildStdin`], with the bytes that did not fit into the pipe yet.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::child::pipes::{self, WriteOutcome};

/// The pipe to a child's standard input, and what did not fit into it yet.
pub(crate) struct ChildStdin {
    fd: OwnedFd,
    pending: VecDeque<u8>,
    /// Whether the poller watches it.
    pub(crate) watched: bool,
}

/// The most that may be pending for one child (bytes): one with more does not read.
const MAX_PENDING: usize = 16 * 1024 * 1024;

impl ChildStdin {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, pending: VecDeque::new(), watched: false }
    }

    /// Writes `bytes` behind what is pending, as much as the pipe takes.
    ///
    /// Errors: the child has closed its end, or it has left too much unread.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.pending.len() + bytes.len() > MAX_PENDING {
            return Err(io::Error::other("too much is pending"));
        }
        let written = if self.pending.is_empty() { self.try_write(bytes)? } else { 0 };
        self.pending.extend(&bytes[written..]);
        Ok(())
    }

    /// Writes what is pending, as much as the pipe takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            match self.try_write(self.pending.as_slices().0)? {
                0 => return Ok(()),
                written => drop(self.pending.drain(..written)),
            }
        }
        self.pending.shrink_to(0);
        Ok(())
    }

    /// How much of `bytes` the pipe took.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match pipes::write(self.fd.as_fd(), bytes) {
            WriteOutcome::Bytes(count) => Ok(count),
            WriteOutcome::Full => Ok(0),
            WriteOutcome::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether bytes wait for the pipe to take more.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }
}

impl AsFd for ChildStdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
