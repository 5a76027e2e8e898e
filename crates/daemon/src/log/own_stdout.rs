//! The daemon's own standard output, where listeners' answers may go (`supervisor_stdout:event_handler`): what a slow
//! reader does not take is kept for a while, and nobody is held up.

use std::io;

use ironlance_core::level::Level;

use super::sink::{Sink, Standard};

/// So much may wait for a reader (bytes); what comes then is lost until it has read.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// The stream, open once there was something to write.
#[derive(Debug, Default)]
pub struct OwnStdout {
    sink: Option<Sink>,
    waiting: Vec<u8>,
    /// It was said that something is lost, and nothing was taken since.
    is_losing: bool,
}

impl OwnStdout {
    /// Writes `text`, or keeps it. Gives what the main log should say, if anything.
    pub fn write(&mut self, text: &[u8]) -> Option<(Level, String)> {
        if self.waiting.len() + text.len() > MOST_WAITING {
            return self.lose("its reader is too slow");
        }
        self.waiting.extend_from_slice(text);
        self.flush()
    }

    /// Whether something waits for the reader.
    pub const fn is_backed_up(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Offers again what waits. Gives what the main log should say, if anything.
    pub fn flush(&mut self) -> Option<(Level, String)> {
        if self.waiting.is_empty() {
            return None;
        }
        match self.offer() {
            Ok(taken) => {
                self.waiting.drain(..taken);
                self.is_losing &= taken == 0;
                if self.waiting.is_empty() {
                    self.waiting = Vec::new();
                }
                None
            }
            Err(why) => {
                self.waiting = Vec::new();
                self.lose(&why.to_string())
            }
        }
    }

    fn offer(&mut self) -> io::Result<usize> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            none => none.insert(Sink::standard(Standard::Output)?),
        };
        sink.offer(&self.waiting).map_err(|loss| loss.why)
    }

    fn lose(&mut self, why: &str) -> Option<(Level, String)> {
        let is_new = !std::mem::replace(&mut self.is_losing, true);
        let line = || {
            format!("cannot write to our own stdout: {why}; what it should get is lost until it works again")
        };
        is_new.then(|| (Level::Error, line()))
    }
}
