//! A log that is a stream with a slow reader, such as a container's stdout: its child waits, and nothing is lost.
//!
//! What the stream does not take is kept and offered again; the child's pipe is not read meanwhile, so that the child
//! waits in its own writes. Only a reader that takes nothing at all for long loses output.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_core::level::Level;
use ironlance_core::notice::Channel;

use super::Supervisor;
use super::hear::{PauseChange, PauseReason};
use super::output::{Output, WriteTurn};
use super::population::ProcessId;
use crate::log::file::{LogFile, Offered};

/// How often what was left is offered again.
const RETRY_EVERY: Duration = Duration::from_millis(10);
/// So long a reader may take nothing before output is lost.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// So long the daemon waits at its end for the readers of what children have left. Who stops a container kills it after
/// ten seconds.
const EXIT_GRACE: Duration = Duration::from_secs(3);

/// What a log has not taken yet.
#[derive(Debug, Default)]
pub(super) struct LogBacklog {
    bytes: Vec<u8>,
    /// Since when nothing was taken, as far as it was looked at (monotonic).
    stuck: Option<Duration>,
}

impl LogBacklog {
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes `data` behind what is kept. Gives what the main log should say, if anything.
    pub(super) fn write(&mut self, log: &mut LogFile, data: &[u8]) -> Option<(Level, String)> {
        if !self.is_empty() {
            self.bytes.extend_from_slice(data);
            return None;
        }
        match log.offer(data) {
            Offered::Written(written) => written.complaint(log.path()),
            Offered::Later { taken } => {
                self.bytes.extend_from_slice(&data[taken..]);
                self.stuck = None;
                None
            }
        }
    }

    /// Keeps `data` for later.
    pub(super) fn defer(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Offers what is kept again. Gives what the main log should say, if anything.
    pub(super) fn flush(&mut self, log: &mut LogFile, now: Duration) -> Option<(Level, String)> {
        if self.is_empty() {
            return None;
        }
        let stuck = *self.stuck.get_or_insert(now);
        if now >= stuck + STALL_TIMEOUT {
            return self.write_or_drop(log);
        }
        match log.offer(&self.bytes) {
            Offered::Written(written) => {
                self.bytes = Vec::new();
                written.complaint(log.path())
            }
            Offered::Later { taken } => {
                self.bytes.drain(..taken);
                self.stuck = (taken == 0).then_some(stuck);
                None
            }
        }
    }

    /// Writes what is kept as far as it is taken at once; tells how much is lost.
    fn write_final(&mut self, log: &mut LogFile) -> usize {
        let bytes = std::mem::take(&mut self.bytes);
        match log.offer(&bytes) {
            Offered::Written(_) => 0,
            Offered::Later { taken } => bytes.len() - taken,
        }
    }

    /// Writes what is kept as far as it is taken soon; the rest is lost, and counted.
    pub(super) fn write_or_drop(&mut self, log: &mut LogFile) -> Option<(Level, String)> {
        let written = log.write(&std::mem::take(&mut self.bytes));
        written.complaint(log.path())
    }
}

/// The log of a child that has ended before all was taken.
pub(super) struct OrphanedLog {
    pub(super) log: LogFile,
    pub(super) backlog: LogBacklog,
}

impl Supervisor {
    /// Keeps a child waiting whose log is behind.
    pub(super) fn pause_if_log_is_slow(&mut self, id: ProcessId, channel: Channel) {
        if self.output_mut(id, channel).is_some_and(|output| output.has_backlog() && output.fd().is_some()) {
            self.set_pause(id, channel, PauseChange::Pause, PauseReason::SlowLog);
            self.slow_logs.push((id, channel));
            self.schedule_log_retry();
        }
    }

    /// Offers to all logs again what they did not take, when it is time.
    pub(super) fn retry_logs(&mut self) {
        let now = self.clock.mono();
        if self.retry_logs_at.is_none_or(|at| now < at) {
            return;
        }
        self.retry_logs_at = None;
        let mut lines = Vec::new();
        // Who has begun to write to a stream ends before others write to it.
        let mut taken: Vec<PathBuf> = Vec::new();
        for leftover in &mut self.orphaned_logs {
            if !taken.iter().any(|path| path == leftover.log.path()) {
                lines.extend(leftover.backlog.flush(&mut leftover.log, now));
            }
            if !leftover.backlog.is_empty() {
                taken.push(leftover.log.path().to_owned());
            }
        }
        lines.extend(self.own_stdout.flush());
        self.orphaned_logs.retain(|leftover| !leftover.backlog.is_empty());
        for (id, channel) in std::mem::take(&mut self.slow_logs) {
            let Some(output) = self.output_mut(id, channel) else { continue };
            let stream = output.stream().map(Path::to_owned);
            if !stream.as_ref().is_some_and(|stream| taken.contains(stream)) {
                lines.extend(output.flush(now));
            }
            if output.has_backlog() {
                taken.extend(stream);
                self.slow_logs.push((id, channel));
            } else {
                self.set_pause(id, channel, PauseChange::Resume, PauseReason::SlowLog);
            }
        }
        for (level, line) in lines {
            self.log.log(level, &line);
        }
        if !self.slow_logs.is_empty() || !self.orphaned_logs.is_empty() || self.own_stdout.is_backed_up() {
            self.schedule_log_retry();
        }
    }

    /// Whether a channel may write to its log, or others have begun to write to the same stream.
    pub(super) fn write_turn(&self, id: ProcessId, channel: Channel) -> WriteTurn {
        if self.slow_logs.is_empty() && self.orphaned_logs.is_empty() {
            return WriteTurn::Now;
        }
        let output_of = |id, channel| {
            let process = self.table.process(id)?;
            match channel {
                Channel::Stdout => process.stdout.as_deref(),
                Channel::Stderr => process.stderr.as_deref(),
            }
        };
        let Some(stream) = output_of(id, channel).and_then(Output::stream) else { return WriteTurn::Now };
        let others = self.slow_logs.iter().filter(|other| **other != (id, channel));
        let busy = others
            .filter_map(|(id, channel)| output_of(*id, *channel)?.stream())
            .any(|other| other == stream)
            || self.orphaned_logs.iter().any(|leftover| leftover.log.path() == stream);
        if busy { WriteTurn::AfterOthers } else { WriteTurn::Now }
    }

    /// Whether the daemon should wait before it ends: a slow reader still takes what children have left.
    pub(super) fn awaits_orphaned_logs(&mut self) -> bool {
        if self.orphaned_logs.is_empty() {
            return false;
        }
        let now = self.clock.mono();
        let until = *self.exit_by.get_or_insert(now + EXIT_GRACE);
        now < until
    }

    /// A child has ended before its log had taken all.
    pub(super) fn keep_orphaned_log(&mut self, leftover: OrphanedLog) {
        self.orphaned_logs.push(leftover);
        self.schedule_log_retry();
    }

    /// The daemon ends: what is left is written as far as it is taken at once. It was waited for already, and there may
    /// be many.
    pub(super) fn flush_orphaned_logs(&mut self) {
        let mut lines: Vec<(Level, String)> = self.own_stdout.flush().into_iter().collect();
        for mut leftover in std::mem::take(&mut self.orphaned_logs) {
            let lost = leftover.backlog.write_final(&mut leftover.log);
            if lost > 0 {
                let path = leftover.log.path().display();
                lines.push((
                    Level::Error,
                    format!("cannot write {lost} bytes to {path} before the end: nobody reads"),
                ));
            }
        }
        for (level, line) in lines {
            self.log.log(level, &line);
        }
    }

    /// Writes to the daemon's own standard output.
    pub(super) fn write_own_stdout(&mut self, text: &[u8]) {
        if let Some((level, line)) = self.own_stdout.write(text) {
            self.log.log(level, &line);
        }
        if self.own_stdout.is_backed_up() {
            self.schedule_log_retry();
        }
    }

    fn schedule_log_retry(&mut self) {
        let soon = self.clock.mono() + RETRY_EVERY;
        self.retry_logs_at.get_or_insert(soon);
    }
}
