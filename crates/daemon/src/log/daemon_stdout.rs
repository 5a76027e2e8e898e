//! The daemon's own stdout, where listeners' results may go (`supervisor_stdout:event_handler`): [`DaemonStdout`]
//! queues what a slow reader does not take, and never blocks the owner.

use std::io;

use ironlance_core::log_level::Level;

use super::sink::{Sink, StdStream};

/// The longest queue, in bytes; text beyond it is lost.
const MAX_QUEUED: usize = 16 * 1024 * 1024;

/// The stream. It is opened by the first write.
#[derive(Debug, Default)]
pub(crate) struct DaemonStdout {
    sink: Option<Sink>,
    queued: Vec<u8>,
    /// A loss was reported, and nothing has been written since.
    is_losing: bool,
}

impl DaemonStdout {
    /// Writes or queues `text`. Gives a line for the main log, if there is one.
    pub(crate) fn write(&mut self, text: &[u8]) -> Option<(Level, String)> {
        if self.queued.len() + text.len() > MAX_QUEUED {
            return self.note_loss("its reader is too slow");
        }
        self.queued.extend_from_slice(text);
        self.flush()
    }

    /// Whether text is queued.
    pub(crate) const fn is_backed_up(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Writes what is queued. Gives a line for the main log, if there is one.
    pub(crate) fn flush(&mut self) -> Option<(Level, String)> {
        if self.queued.is_empty() {
            return None;
        }
        match self.write_queued() {
            Ok(taken) => {
                self.queued.drain(..taken);
                self.is_losing &= taken == 0;
                if self.queued.is_empty() {
                    self.queued = Vec::new();
                }
                None
            }
            Err(why) => {
                self.queued = Vec::new();
                self.note_loss(&why.to_string())
            }
        }
    }

    fn write_queued(&mut self) -> io::Result<usize> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert(Sink::std_stream(StdStream::Output)?),
        };
        sink.try_write(&self.queued).map_err(|loss| loss.why)
    }

    fn note_loss(&mut self, why: &str) -> Option<(Level, String)> {
        let is_new = !std::mem::replace(&mut self.is_losing, true);
        let line =
            || format!("cannot write to supervisord's stdout: {why}; output is lost until it works again");
        is_new.then(|| (Level::Error, line()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use super::*;

    /// A stdout whose reader is in the test's hands.
    fn piped() -> (File, DaemonStdout) {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let stdout = DaemonStdout { sink: Some(Sink::shared(writer).unwrap()), ..DaemonStdout::default() };
        (reader.into(), stdout)
    }

    #[test]
    fn a_slow_reader_gets_everything_later_and_in_order() {
        let (mut reader, mut stdout) = piped();
        let text: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        for piece in text.chunks(70_000) {
            assert!(stdout.write(piece).is_none());
        }
        assert!(stdout.is_backed_up());
        let mut got = Vec::new();
        let mut buffer = vec![0; 65_536];
        while got.len() < text.len() {
            let count = reader.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
            assert!(stdout.flush().is_none());
        }
        assert!(!stdout.is_backed_up());
        assert!(got == text, "the bytes are those that were written");
    }

    #[test]
    fn more_than_the_queue_holds_is_lost_and_reported_once_until_the_reader_goes_on() {
        let (mut reader, mut stdout) = piped();
        assert!(stdout.write(&vec![b'x'; MAX_QUEUED]).is_none());
        let (level, line) = stdout.write(&vec![b'y'; MAX_QUEUED]).unwrap();
        assert_eq!(level, Level::Error);
        assert_eq!(
            line,
            "cannot write to supervisord's stdout: its reader is too slow; output is lost until it works again"
        );
        assert!(stdout.write(&vec![b'y'; MAX_QUEUED]).is_none());
        assert_eq!(reader.read(&mut [0; 65_536]).unwrap(), 65_536);
        assert!(stdout.flush().is_none());
        assert!(stdout.write(&vec![b'y'; MAX_QUEUED]).is_some(), "a new loss is reported");
    }

    #[test]
    fn a_closed_reader_is_reported_once_and_nothing_stays_queued() {
        let (reader, mut stdout) = piped();
        drop(reader);
        let (_, line) = stdout.write(b"OK").unwrap();
        assert!(line.contains("Broken pipe"), "{line}");
        assert!(!stdout.is_backed_up());
        assert!(stdout.write(b"OK").is_none());
    }
}
