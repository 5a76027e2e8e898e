//! The daemon's own stdout, where listeners' results may go (`supervisor_stdout:event_handler`): [`DaemonStdout`]
//! queues what a slow reader does not take, and never blocks the owner.

use std::io;

use ironlance_core::log_level::Level;

use super::sink::{Sink, StdStream};

/// The longest queue, in bytes; text beyond it is lost.
const MAX_QUEUED: usize = 16 * 1024 * 1024;

/// The stream. It is opened by the first write.
#[derive(Debug, Default)]
pub struct DaemonStdout {
    sink: Option<Sink>,
    queued: Vec<u8>,
    /// A loss was reported, and nothing has been written since.
    is_losing: bool,
}

impl DaemonStdout {
    /// Writes or queues `text`. Gives a line for the main log, if there is one.
    pub fn write(&mut self, text: &[u8]) -> Option<(Level, String)> {
        if self.queued.len() + text.len() > MAX_QUEUED {
            return self.note_loss("its reader is too slow");
        }
        self.queued.extend_from_slice(text);
        self.flush()
    }

    /// Whether text is queued.
    pub const fn is_backed_up(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Writes what is queued. Gives a line for the main log, if there is one.
    pub fn flush(&mut self) -> Option<(Level, String)> {
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
        let line = || {
            format!("cannot write to our own stdout: {why}; what it should get is lost until it works again")
        };
        is_new.then(|| (Level::Error, line()))
    }
}
