//! A listener's stdin: [`EventInput`], read by `protocol`, gives code pages back before it blocks, as the next event may
//! be days away. It starts no thread and no periodic timer.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;

use ironlance_host::code_pages::CodePageTrimmer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Stdin, or a descriptor in its place.
#[derive(Debug)]
pub(crate) struct EventInput {
    reader: BufReader<File>,
    code_pages: CodePageTrimmer,
}

impl EventInput {
    /// The error is that of dup(2).
    pub(crate) fn stdin() -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?.into()))
    }

    fn new(file: File) -> Self {
        Self { reader: BufReader::new(file), code_pages: CodePageTrimmer::default() }
    }

    /// Gives code pages back. If that was done a moment ago, an event has been handled since, and others may follow:
    /// then it is done once more when none does.
    fn prepare_to_block(&mut self) {
        let Some(left) = self.code_pages.before_wait() else { return };
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 });
        let idle = poll(&mut [PollFd::new(self.reader.get_ref(), PollFlags::IN)], Some(&timeout)) == Ok(0);
        if idle {
            self.code_pages.before_wait();
        }
    }
}

impl Read for EventInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl BufRead for EventInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.reader.buffer().is_empty() {
            self.prepare_to_block();
        }
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_read_until_the_end_and_an_event_within_the_pause_is_not_waited_for() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let (mut input, mut writer) = (EventInput::new(reader.into()), File::from(writer));
        for line in ["first\n", "second\n", "third\n"] {
            writer.write_all(line.as_bytes()).unwrap();
            let mut got = String::new();
            input.read_line(&mut got).unwrap();
            assert_eq!(got, line);
        }
        drop(writer);
        assert_eq!(input.read_line(&mut String::new()).unwrap(), 0);
    }
}
