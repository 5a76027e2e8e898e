//! Lines from stdin, waited for together with ^C.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ironlance_rpc::Client;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// A line longer than this is cut, in bytes.
const MAX_LINE: usize = 1024 * 1024;
/// So much is read at a time, in bytes.
const CHUNK: usize = 4096;

/// Lines from a descriptor, stdin unless told otherwise. There is no other reader of it beside this one, or lines
/// that came together would be lost.
#[derive(Default)]
pub(crate) struct LineReader {
    source: Option<OwnedFd>,
    pending: Vec<u8>,
    is_at_end: bool,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadLine {
    /// A line without its end; bytes that are no UTF-8 are replaced.
    Line(String),
    /// Nothing more.
    End,
    /// ^C, or the other descriptor became readable first.
    Interrupted,
}

/// A person at a terminal who can edit a line before it counts.
pub(crate) trait LineEditor {
    /// Reads a line that is a command: Tab offers what there is, also of `supervisor`, and it can be called back later.
    fn command(&mut self, prompt: &str, client: Option<Client>) -> ReadLine;

    /// Reads the answer to a question.
    fn answer(&mut self, question: &str) -> ReadLine;
}

impl LineReader {
    /// Lines from `source`.
    pub(crate) fn new(source: OwnedFd) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    /// Waits for a line, or for `interrupt` to become readable. The last line may lack its end. A terminal that said
    /// the end once can be read again.
    pub(crate) fn read_line(&mut self, interrupt: Option<BorrowedFd<'_>>) -> ReadLine {
        loop {
            if let Some(line) = self.take_line() {
                return ReadLine::Line(line);
            }
            if std::mem::take(&mut self.is_at_end) {
                return ReadLine::End;
            }
            match self.wait_readable(interrupt) {
                Ok(true) => {}
                Ok(false) => return ReadLine::Interrupted,
                Err(_) => return ReadLine::End,
            }
            match self.fill() {
                Ok(0) => self.is_at_end = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) => {}
                Err(_) => return ReadLine::End,
            }
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending.iter().position(|byte| *byte == b'\n');
        let is_all = self.is_at_end || self.pending.len() > MAX_LINE;
        let (length, used) = match end {
            Some(end) => (end, end + 1),
            None if is_all && !self.pending.is_empty() => (self.pending.len(), self.pending.len()),
            None => return None,
        };
        let line = String::from_utf8_lossy(&self.pending[..length]).into_owned();
        self.pending.drain(..used);
        Some(line)
    }

    /// Whether there is something to read, and not an interrupt.
    fn wait_readable(&self, interrupt: Option<BorrowedFd<'_>>) -> Result<bool, Errno> {
        let Some(interrupt) = interrupt else { return Ok(true) };
        self.with_source(|source| {
            let mut both = [
                PollFd::from_borrowed_fd(interrupt, PollFlags::IN),
                PollFd::from_borrowed_fd(source, PollFlags::IN),
            ];
            loop {
                match poll(&mut both, None) {
                    Ok(_) => return Ok(both[0].revents().is_empty()),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error),
                }
            }
        })
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; CHUNK];
        let count = self.with_source(|source| rustix::io::read(source, &mut chunk))?;
        self.pending.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    fn with_source<T>(&self, act: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        match &self.source {
            Some(source) => act(source.as_fd()),
            None => act(io::stdin().as_fd()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn input(bytes: &[u8]) -> LineReader {
        let (mut stopper, source) = UnixStream::pair().unwrap();
        stopper.write_all(bytes).unwrap();
        LineReader::new(source.into())
    }

    #[test]
    fn lines_come_one_by_one_and_the_last_needs_no_end() {
        let mut input = input(b"a\n\n\xffb");
        assert_eq!(input.read_line(None), ReadLine::Line("a".to_owned()));
        assert_eq!(input.read_line(None), ReadLine::Line(String::new()));
        assert_eq!(input.read_line(None), ReadLine::Line("\u{fffd}b".to_owned()));
        assert_eq!(input.read_line(None), ReadLine::End);
        assert_eq!(input.read_line(None), ReadLine::End);
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let (_silent, source) = UnixStream::pair().unwrap();
        let (mut stopper, interrupt) = UnixStream::pair().unwrap();
        stopper.write_all(b"!").unwrap();
        assert_eq!(LineReader::new(source.into()).read_line(Some(interrupt.as_fd())), ReadLine::Interrupted);
    }
}
