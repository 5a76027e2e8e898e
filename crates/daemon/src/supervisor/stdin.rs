//! What is yet to be written to a child's standard input.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::child::pipes::{self, Write};

/// The pipe to a child's standard input, and what did not fit into it yet.
pub(super) struct Stdin {
    fd: OwnedFd,
    waiting: VecDeque<u8>,
    /// Whether the poller watches it.
    pub(super) watched: bool,
}

/// More than this may not wait for one child (bytes): it does not read.
const MAX_WAITING: usize = 16 * 1024 * 1024;

impl Stdin {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self { fd, waiting: VecDeque::new(), watched: false }
    }

    /// Writes `bytes` behind what already waits, as far as the pipe takes it.
    ///
    /// Errors: the child has closed its end, or it has left too much unread.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.waiting.len() + bytes.len() > MAX_WAITING {
            return Err(io::Error::other("too much waits to be read"));
        }
        let written = if self.waiting.is_empty() { self.try_write(bytes)? } else { 0 };
        self.waiting.extend(&bytes[written..]);
        Ok(())
    }

    /// Writes what waits, as far as the pipe takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            match self.try_write(self.waiting.as_slices().0)? {
                0 => return Ok(()),
                written => drop(self.waiting.drain(..written)),
            }
        }
        self.waiting.shrink_to(0);
        Ok(())
    }

    /// How much of `bytes` the pipe took.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match pipes::write(self.fd.as_fd(), bytes) {
            Write::Bytes(count) => Ok(count),
            Write::Full => Ok(0),
            Write::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Whether something waits for the pipe to take more.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
