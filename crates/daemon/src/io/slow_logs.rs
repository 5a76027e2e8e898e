//! Back-pressure from logs: a log that is a stream with a slow reader, such as a container's stdout, gets the rest later.
//!
//! What the stream does not take is kept, and offered again every [`RETRY_EVERY`]; the child's pipe is not read meanwhile.
//! Output is lost only when the reader takes nothing at all for long.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;

use super::log_backlog::OrphanedLog;
use super::output::Output;
use super::pipes::{PauseChange, PauseReason, Pipes};
use crate::log::daemon_stdout::DaemonStdout;
use crate::state::ids::ProcessId;

/// How often a log is offered what it has not taken.
pub(crate) const RETRY_EVERY: Duration = Duration::from_millis(10);

/// A line for the main log.
pub(crate) type LogLine = (Level, String);

/// All logs that have not taken everything.
#[derive(Default)]
pub(crate) struct SlowLogs {
    /// Output that is not read until its log has taken the rest.
    waiting: Vec<(ProcessId, OutputChannel)>,
    /// Logs of children that have exited before all was taken.
    orphaned: Vec<OrphanedLog>,
    pub(crate) own_stdout: DaemonStdout,
}

impl SlowLogs {
    /// Whether any log is to be offered more.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.orphaned.is_empty() || self.own_stdout.is_backed_up()
    }

    /// Whether logs of children that have exited are to be offered more.
    pub(crate) fn has_orphaned(&self) -> bool {
        !self.orphaned.is_empty()
    }

    /// Pauses an output whose log has not taken all.
    pub(crate) fn pause_if_slow(
        &mut self,
        pipes: &mut Pipes,
        id: ProcessId,
        channel: OutputChannel,
    ) -> std::io::Result<()> {
        let is_slow = |output: &Output| output.has_backlog() && output.fd().is_some();
        if !pipes.output(id, channel).is_some_and(is_slow) {
            return Ok(());
        }
        self.waiting.push((id, channel));
        pipes.set_pause(id, channel, PauseChange::Pause, PauseReason::SlowLog)
    }

    /// A child has exited before its log had taken all.
    pub(crate) fn add_orphaned(&mut self, log: OrphanedLog) {
        self.orphaned.push(log);
    }

    /// Whether an output may write to its log: no other one has begun to write to the same stream.
    pub(crate) fn may_write(&self, pipes: &Pipes, id: ProcessId, channel: OutputChannel) -> bool {
        if self.waiting.is_empty() && self.orphaned.is_empty() {
            return true;
        }
        let Some(stream) = pipes.output(id, channel).and_then(Output::stream) else { return true };
        let mut others = self.waiting.iter().filter(|other| **other != (id, channel));
        let is_its = |(id, channel): &(ProcessId, OutputChannel)| {
            pipes.output(*id, *channel).and_then(Output::stream) == Some(stream)
        };
        !others.any(is_its) && self.orphaned.iter().all(|orphaned| orphaned.log.path() != stream)
    }

    /// Offers all logs the rest. Gives lines for the main log.
    pub(crate) fn retry(&mut self, pipes: &mut Pipes, now: Duration) -> Vec<LogLine> {
        let mut lines = Vec::new();
        // An output that is in the middle of a write to a shared stream finishes before other outputs write to it.
        let mut busy: Vec<PathBuf> = Vec::new();
        for orphaned in &mut self.orphaned {
            if !busy.iter().any(|path| path == orphaned.log.path()) {
                lines.extend(orphaned.backlog.flush(&mut orphaned.log, now));
            }
            if !orphaned.backlog.is_empty() {
                busy.push(orphaned.log.path().to_owned());
            }
        }
        lines.extend(self.own_stdout.flush());
        self.orphaned.retain(|orphaned| !orphaned.backlog.is_empty());
        for (id, channel) in std::mem::take(&mut self.waiting) {
            let Some(output) = pipes.output_mut(id, channel) else { continue };
            let stream = output.stream().map(Path::to_owned);
            if !stream.as_ref().is_some_and(|stream| busy.contains(stream)) {
                lines.extend(output.flush(now));
            }
            if output.has_backlog() {
                busy.extend(stream);
                self.waiting.push((id, channel));
            } else if let Err(error) = pipes.set_pause(id, channel, PauseChange::Resume, PauseReason::SlowLog)
            {
                lines.push((Level::Critical, format!("cannot watch a pipe again: {error}")));
            }
        }
        lines
    }

    /// The daemon ends: writes what is taken at once. It was waited for already, and there may be many. Gives lines for
    /// the main log.
    pub(crate) fn flush_all(&mut self) -> Vec<LogLine> {
        let mut lines: Vec<LogLine> = self.own_stdout.flush().into_iter().collect();
        for mut orphaned in std::mem::take(&mut self.orphaned) {
            let lost = orphaned.backlog.write_final(&mut orphaned.log);
            if lost > 0 {
                let path = orphaned.log.path().display();
                let line = format!("cannot write {lost} bytes to {path} before the end: nobody reads");
                lines.push((Level::Error, line));
            }
        }
        lines
    }
}
