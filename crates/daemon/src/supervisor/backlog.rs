//! A log that is a stream with a slow reader, such as a container's stdout: its child waits, and nothing is lost.
//!
//! What the stream does not take is kept and offered again; the child's pipe is not read meanwhile, so that the child
//! waits in its own writes. Only a reader that takes nothing at all for long loses output.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_core::level::Level;
use ironlance_core::notice::Channel;

use super::Supervisor;
use super::hear::{Hold, Why};
use super::output::{Output, Turn};
use super::population::ProcessId;
use crate::log::file::{LogFile, Offered};

/// How often what was left is offered again.
const AGAIN: Duration = Duration::from_millis(10);
/// So long a reader may take nothing before output is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// So long the daemon waits at its end for the readers of what children have left. Who stops a container kills it after
/// ten seconds.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What a log has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// Since when nothing was taken, as far as it was looked at (monotonic).
    stuck: Option<Duration>,
}

impl Backlog {
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
    pub(super) fn put_off(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// Offers what is kept again. Gives what the main log should say, if anything.
    pub(super) fn flush(&mut self, log: &mut LogFile, now: Duration) -> Option<(Level, String)> {
        if self.is_empty() {
            return None;
        }
        let stuck = *self.stuck.get_or_insert(now);
        if now >= stuck + PATIENCE {
            return self.give_up(log);
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
    fn write_last(&mut self, log: &mut LogFile) -> usize {
        let bytes = std::mem::take(&mut self.bytes);
        match log.offer(&bytes) {
            Offered::Written(_) => 0,
            Offered::Later { taken } => bytes.len() - taken,
        }
    }

    /// Writes what is kept as far as it is taken soon; the rest is lost, and counted.
    pub(super) fn give_up(&mut self, log: &mut LogFile) -> Option<(Level, String)> {
        let written = log.write(&std::mem::take(&mut self.bytes));
        written.complaint(log.path())
    }
}

/// The log of a child that has ended before all was taken.
pub(super) struct Leftover {
    pub(super) log: LogFile,
    pub(super) backlog: Backlog,
}

impl Supervisor {
    /// Keeps a child waiting whose log is behind.
    pub(super) fn hold_if_backed_up(&mut self, id: ProcessId, channel: Channel) {
        if self.output_mut(id, channel).is_some_and(|output| output.is_backed_up() && output.fd().is_some()) {
            self.hold(id, channel, Hold::Back, Why::Log);
            self.backed_up.push((id, channel));
            self.offer_again_soon();
        }
    }

    /// Offers to all logs again what they did not take, when it is time.
    pub(super) fn offer_again(&mut self) {
        let now = self.clock.mono();
        if self.offer_at.is_none_or(|at| now < at) {
            return;
        }
        self.offer_at = None;
        let mut lines = Vec::new();
        // Who has begun to write to a stream ends before others write to it.
        let mut taken: Vec<PathBuf> = Vec::new();
        for leftover in &mut self.leftovers {
            if !taken.iter().any(|path| path == leftover.log.path()) {
                lines.extend(leftover.backlog.flush(&mut leftover.log, now));
            }
            if !leftover.backlog.is_empty() {
                taken.push(leftover.log.path().to_owned());
            }
        }
        lines.extend(self.own_stdout.flush());
        self.leftovers.retain(|leftover| !leftover.backlog.is_empty());
        for (id, channel) in std::mem::take(&mut self.backed_up) {
            let Some(output) = self.output_mut(id, channel) else { continue };
            let stream = output.stream().map(Path::to_owned);
            if !stream.as_ref().is_some_and(|stream| taken.contains(stream)) {
                lines.extend(output.flush(now));
            }
            if output.is_backed_up() {
                taken.extend(stream);
                self.backed_up.push((id, channel));
            } else {
                self.hold(id, channel, Hold::Released, Why::Log);
            }
        }
        for (level, line) in lines {
            self.log.log(level, &line);
        }
        if !self.backed_up.is_empty() || !self.leftovers.is_empty() || self.own_stdout.is_backed_up() {
            self.offer_again_soon();
        }
    }

    /// Whether a channel may write to its log, or others have begun to write to the same stream.
    pub(super) fn turn_of(&self, id: ProcessId, channel: Channel) -> Turn {
        if self.backed_up.is_empty() && self.leftovers.is_empty() {
            return Turn::Now;
        }
        let output_of = |id, channel| {
            let process = self.population.process(id)?;
            match channel {
                Channel::Stdout => process.stdout.as_deref(),
                Channel::Stderr => process.stderr.as_deref(),
            }
        };
        let Some(stream) = output_of(id, channel).and_then(Output::stream) else { return Turn::Now };
        let others = self.backed_up.iter().filter(|other| **other != (id, channel));
        let busy = others
            .filter_map(|(id, channel)| output_of(*id, *channel)?.stream())
            .any(|other| other == stream)
            || self.leftovers.iter().any(|leftover| leftover.log.path() == stream);
        if busy { Turn::AfterOthers } else { Turn::Now }
    }

    /// Whether the daemon should wait before it ends: a slow reader still takes what children have left.
    pub(super) fn has_leftovers(&mut self) -> bool {
        if self.leftovers.is_empty() {
            return false;
        }
        let now = self.clock.mono();
        let until = *self.leave_at.get_or_insert(now + LAST_WORDS);
        now < until
    }

    /// A child has ended before its log had taken all.
    pub(super) fn keep_leftover(&mut self, leftover: Leftover) {
        self.leftovers.push(leftover);
        self.offer_again_soon();
    }

    /// The daemon ends: what is left is written as far as it is taken at once. It was waited for already, and there may
    /// be many.
    pub(super) fn write_leftovers(&mut self) {
        let mut lines: Vec<(Level, String)> = self.own_stdout.flush().into_iter().collect();
        for mut leftover in std::mem::take(&mut self.leftovers) {
            let lost = leftover.backlog.write_last(&mut leftover.log);
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
            self.offer_again_soon();
        }
    }

    fn offer_again_soon(&mut self) {
        let soon = self.clock.mono() + AGAIN;
        self.offer_at.get_or_insert(soon);
    }
}
