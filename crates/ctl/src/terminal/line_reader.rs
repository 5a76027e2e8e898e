//! [`LineReader`]: lines from stdin, with a wait that ^C can interrupt; [`LineEditor`]: the same with editing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ironlance_rpc::Client;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};

/// The longest line, in bytes; longer ones are split.
const MAX_LINE: usize = 1024 * 1024;
/// The size of one read, in bytes.
const CHUNK: usize = 4096;

/// Reads lines from a descriptor, by default stdin. It must be the only reader: it reads ahead.
#[derive(Default)]
pub(crate) struct LineReader {
    source: Option<OwnedFd>,
    pending: Vec<u8>,
    is_at_end: bool,
}

/// The result of reading a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReadLine {
    /// A line without its newline; invalid UTF-8 is replaced.
    Line(String),
    /// The end of input.
    End,
    /// ^C, or the interrupt descriptor became readable first.
    Interrupted,
}

/// Line editing on a terminal.
pub(crate) trait LineEditor {
    /// Reads a command: Tab completes verbs and `client`'s processes, and the line goes to the history.
    fn command(&mut self, prompt: &str, client: Option<Client>) -> ReadLine;

    /// Reads the answer to a prompt.
    fn answer(&mut self, question: &str) -> ReadLine;
}

impl LineReader {
    /// A reader of `source`.
    pub(crate) fn new(source: OwnedFd) -> Self {
        Self { source: Some(source), ..Self::default() }
    }

    /// Waits for a line, or for `interrupt` to become readable. The last line may lack its newline. After the end of
    /// input, a terminal can be read again.
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

    /// Whether the source is readable, and no interrupt came.
    fn wait_readable(&self, interrupt: Option<BorrowedFd<'_>>) -> Result<bool, Errno> {
        let Some(interrupt) = interrupt else { return Ok(true) };
        self.with_source(|source| {
            let mut both = [
                PollFd::from_borrowed_fd(interrupt, PollFlags::IN),
                PollFd::from_borrowed_fd(source, PollFlags::IN),
            ];
            retry_on_intr(|| poll(&mut both, None))?;
            Ok(both[0].revents().is_empty())
        })
    }

    fn fill(&mut self) -> Result<usize, Errno> {
        let mut chunk = [0; CHUNK];
        let count = self.with_source(|source| retry_on_intr(|| rustix::io::read(source, &mut chunk)))?;
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
