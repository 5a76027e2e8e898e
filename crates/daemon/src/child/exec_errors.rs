//! The exec error pipe: all children share [`ExecErrorPipe`] to report what failed between fork and exec; the owner
//! takes the error when it reaps the child.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// Length of a record's header in bytes: pid, length of the message.
pub(super) const HEADER_LENGTH: usize = 6;
/// The longest message in bytes. A record is far below PIPE_BUF, so it is written as a whole.
pub(super) const MAX_MESSAGE: usize = 500;
/// The size of the pipe in bytes: errors of two thousand children that fail while the owner is busy.
const PIPE_SIZE: usize = 1 << 20;
/// Errors that are kept for children that were not asked about.
const MAX_UNCLAIMED: usize = 65_536;

/// The pipe, and the errors that were read from it. A full pipe loses records; children do not wait.
#[derive(Debug)]
pub struct ExecErrorPipe {
    reader: OwnedFd,
    writer: OwnedFd,
    received: RefCell<Received>,
}

#[derive(Debug, Default)]
struct Received {
    partial: Vec<u8>,
    errors: HashMap<u32, String>,
}

impl ExecErrorPipe {
    /// Opens the pipe. The error is that of pipe2(2).
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller pipe holds fewer records while the owner is busy.
        let _ = fcntl_setpipe_size(&writer, PIPE_SIZE);
        Ok(Self { reader, writer, received: RefCell::default() })
    }

    /// Why the child with this pid did not execute its program, in the original's words, such as
    /// `couldn't exec /x: ENOENT`, cut at [`MAX_MESSAGE`]. To be called for every child that is reaped, as pids are reused.
    pub fn take(&self, pid: u32) -> Option<String> {
        self.drain();
        self.received.borrow_mut().errors.remove(&pid)
    }

    /// Reads all records, so that there is room for others.
    pub(super) fn drain(&self) {
        let mut buffer = [0; 4096];
        let mut received = self.received.borrow_mut();
        while let Ok(count @ 1..) = rustix::io::read(&self.reader, &mut buffer) {
            received.feed(&buffer[..count]);
        }
    }

    pub(super) fn writer(&self) -> BorrowedFd<'_> {
        self.writer.as_fd()
    }
}

impl Received {
    fn feed(&mut self, bytes: &[u8]) {
        self.partial.extend_from_slice(bytes);
        let mut place = 0;
        while let Some((pid, message, length)) = decode(&self.partial[place..]) {
            place += length;
            if self.errors.len() < MAX_UNCLAIMED {
                self.errors.insert(pid, message);
            }
        }
        self.partial.drain(..place);
    }
}

/// Writes a record to `out` and gives its length. Called between fork and exec: allocates no memory.
pub(super) fn encode(pid: u32, words: &[u8], out: &mut [u8; HEADER_LENGTH + MAX_MESSAGE]) -> usize {
    let words = &words[..words.len().min(MAX_MESSAGE)];
    out[..4].copy_from_slice(&pid.to_ne_bytes());
    #[expect(clippy::cast_possible_truncation, reason = "at most MAX_MESSAGE")]
    out[4..HEADER_LENGTH].copy_from_slice(&(words.len() as u16).to_ne_bytes());
    out[HEADER_LENGTH..HEADER_LENGTH + words.len()].copy_from_slice(words);
    HEADER_LENGTH + words.len()
}

/// The first record of `bytes` and its length, if it is complete.
fn decode(bytes: &[u8]) -> Option<(u32, String, usize)> {
    let (pid, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let words = rest.get(..usize::from(u16::from_ne_bytes(*length)))?;
    let message = String::from_utf8_lossy(words).into_owned();
    Some((u32::from_ne_bytes(*pid), message, HEADER_LENGTH + words.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_is_taken_once_and_by_its_pid() {
        let error_pipe = ExecErrorPipe::new().unwrap();
        for pid in [7, 8] {
            let mut buffer = [0; HEADER_LENGTH + MAX_MESSAGE];
            let length = encode(pid, b"couldn't exec /x: ENOENT", &mut buffer);
            rustix::io::write(error_pipe.writer(), &buffer[..length]).unwrap();
        }
        assert_eq!(error_pipe.take(9), None);
        assert_eq!(error_pipe.take(7).unwrap(), "couldn't exec /x: ENOENT");
        assert_eq!(error_pipe.take(7), None);
        assert!(error_pipe.take(8).is_some());
    }

    #[test]
    fn more_errors_than_the_pipe_holds_block_no_child() {
        let error_pipe = ExecErrorPipe::new().unwrap();
        let buffer = [0; HEADER_LENGTH + MAX_MESSAGE];
        while rustix::io::write(error_pipe.writer(), &buffer).is_ok() {}
        assert_eq!(error_pipe.take(1), None);
        rustix::io::write(error_pipe.writer(), &buffer).unwrap();
    }

    proptest! {
        #[test]
        fn records_are_read_however_they_are_cut(
            words in proptest::collection::vec("[ -~]{0,40}", 1..20), cut in 1_usize..64,
        ) {
            let mut stream = Vec::new();
            for (pid, words) in (1_u32..).zip(&words) {
                let mut buffer = [0; HEADER_LENGTH + MAX_MESSAGE];
                let length = encode(pid, words.as_bytes(), &mut buffer);
                stream.extend_from_slice(&buffer[..length]);
            }
            let mut received = Received::default();
            stream.chunks(cut).for_each(|piece| received.feed(piece));
            for (pid, words) in (1_u32..).zip(&words) {
                prop_assert_eq!(&received.errors[&pid], words);
            }
            prop_assert!(received.partial.is_empty());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            Received::default().feed(&bytes);
        }
    }
}
