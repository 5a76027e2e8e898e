//! A log that is a stream with a slow reader, such as a container's stdout: its child waits, and nothing is lost.
//!
//! What the stream does not take is kept and offered again; the child's pipe is not read meanwhile, so that the child
//! waits in its own writes. Only a reader that takes nothing at all for long loses output.

use std::time::Duration;

use ironlance_core::log_level::Level;

use crate::log::rotating_file::{RotatingFile, TryWrite};

/// So long a reader may take nothing before output is lost.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What a log has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct LogBacklog {
    bytes: Vec<u8>,
    /// Since when nothing was taken, as far as it was looked at (monotonic).
    stuck: Option<Duration>,
}

impl LogBacklog {
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes `data` behind what is kept. Gives what the main log should say, if anything.
    pub(crate) fn write(&mut self, log: &mut RotatingFile, data: &[u8]) -> Option<(Level, String)> {
        if !self.is_empty() {
            self.bytes.extend_from_slice(data);
            return None;
        }
        match log.try_write(data) {
            TryWrite::Done(written) => written.log_line(log.path()),
            TryWrite::WouldBlock { taken } => {
                self.bytes.extend_from_slice(&data[taken..]);
                self.stuck = None;
                None
            }
        }
    }

    /// Keeps `data` for later.
    pub(crate) fn defer(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Offers what is kept again. Gives what the main log should say, if anything.
    pub(crate) fn flush(&mut self, log: &mut RotatingFile, now: Duration) -> Option<(Level, String)> {
        if self.is_empty() {
            return None;
        }
        let stuck = *self.stuck.get_or_insert(now);
        if now >= stuck + STALL_TIMEOUT {
            return self.write_or_drop(log);
        }
        match log.try_write(&self.bytes) {
            TryWrite::Done(written) => {
                self.bytes = Vec::new();
                written.log_line(log.path())
            }
            TryWrite::WouldBlock { taken } => {
                self.bytes.drain(..taken);
                self.stuck = (taken == 0).then_some(stuck);
                None
            }
        }
    }

    /// Writes what is kept as far as it is taken at once; tells how much is lost.
    pub(crate) fn write_final(&mut self, log: &mut RotatingFile) -> usize {
        let bytes = std::mem::take(&mut self.bytes);
        match log.try_write(&bytes) {
            TryWrite::Done(_) => 0,
            TryWrite::WouldBlock { taken } => bytes.len() - taken,
        }
    }

    /// Writes what is kept as far as it is taken soon; the rest is lost, and counted.
    pub(crate) fn write_or_drop(&mut self, log: &mut RotatingFile) -> Option<(Level, String)> {
        let written = log.write(&std::mem::take(&mut self.bytes));
        written.log_line(log.path())
    }
}

/// The log of a child that has ended before all was taken.
pub(crate) struct OrphanedLog {
    pub(crate) log: RotatingFile,
    pub(crate) backlog: LogBacklog,
}

/// Whether a log that is a stream may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteTurn {
    Now,
    /// The stream has taken a part of what somebody else writes, and the rest of it comes first.
    AfterOthers,
}
