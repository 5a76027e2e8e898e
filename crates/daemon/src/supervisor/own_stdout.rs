//! What goes to the daemon's own standard output: the answers of `supervisor_stdout:event_handler`. A slow reader holds
//! nobody up.

use std::path::Path;

use ironlance_core::level::Level;

use super::Supervisor;
use super::backlog::Backlog;
use crate::log::file::LogFile;

/// The stream.
const PATH: &str = "/dev/stdout";
/// So much may wait for a reader (bytes); what comes after is lost, as output at a reader's end must be.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// The stream, open once there was something to write.
#[derive(Default)]
pub(super) struct OwnStdout {
    log: Option<LogFile>,
    backlog: Backlog,
    /// It could not be opened, or its reader is too far behind; this was said.
    is_losing: bool,
}

impl OwnStdout {
    /// Gives what the main log should say, if anything.
    fn write(&mut self, text: &[u8]) -> Option<(Level, String)> {
        if self.backlog.len() > MOST_WAITING {
            return self
                .lose(&format!("cannot write to {PATH}: its reader is too slow; what comes now is lost"));
        }
        if self.log.is_none() {
            match LogFile::open(Path::new(PATH), 0, 0) {
                Ok(log) => self.log = Some(log),
                Err(error) => {
                    return self.lose(&format!("cannot open {PATH}: {error}; what it should get is lost"));
                }
            }
        }
        self.is_losing = false;
        self.backlog.write(self.log.as_mut()?, text)
    }

    fn lose(&mut self, line: &str) -> Option<(Level, String)> {
        let is_new = !std::mem::replace(&mut self.is_losing, true);
        is_new.then(|| (Level::Error, line.to_owned()))
    }

    /// Whether something waits for the reader.
    pub(super) const fn is_backed_up(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Offers again what waits.
    pub(super) fn flush(&mut self, now: std::time::Duration) -> Option<(Level, String)> {
        self.backlog.flush(self.log.as_mut()?, now)
    }

    /// The daemon ends: what waits is written as far as it is taken soon.
    pub(super) fn give_up(&mut self) -> Option<(Level, String)> {
        if self.backlog.is_empty() {
            return None;
        }
        self.backlog.give_up(self.log.as_mut()?)
    }
}

impl Supervisor {
    /// Writes to the daemon's own standard output.
    pub(super) fn write_own_stdout(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if let Some((level, line)) = self.own_stdout.write(text) {
            self.log.log(level, &line);
        }
        if self.own_stdout.is_backed_up() {
            self.offer_again_soon();
        }
    }
}
