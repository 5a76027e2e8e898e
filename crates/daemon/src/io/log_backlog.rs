//! Bytes that a log has not taken yet: [`LogBacklog`]. `slow_logs` offers them again.

use std::time::Duration;

use ironlance_core::log_level::Level;

use crate::log::rotating_file::{RotatingFile, TryWrite};

/// How long a reader may take nothing before output is lost.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What a log has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct LogBacklog {
    bytes: Vec<u8>,
    /// Since when nothing was taken, as of the last offer (monotonic).
    stuck: Option<Duration>,
}

impl LogBacklog {
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes `data` behind the backlog. Gives a line for the main log, if there is one.
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

    /// Offers the backlog again. Gives a line for the main log, if there is one.
    pub(crate) fn flush(&mut self, log: &mut RotatingFile, now: Duration) -> Option<(Level, String)> {
        if self.is_empty() {
            return None;
        }
        let stuck = *self.stuck.get_or_insert(now);
        if now >= stuck + STALL_TIMEOUT {
            // As much as is taken soon is written; the rest is lost, and counted.
            return log.write(&std::mem::take(&mut self.bytes)).log_line(log.path());
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

    /// Writes as much of the backlog as is taken at once. Returns how many bytes are lost.
    pub(crate) fn write_final(&mut self, log: &mut RotatingFile) -> usize {
        let bytes = std::mem::take(&mut self.bytes);
        match log.try_write(&bytes) {
            TryWrite::Done(_) => 0,
            TryWrite::WouldBlock { taken } => bytes.len() - taken,
        }
    }
}

/// The log of a child that has ended before all was taken.
pub(crate) struct OrphanedLog {
    pub(crate) log: RotatingFile,
    pub(crate) backlog: LogBacklog,
}
