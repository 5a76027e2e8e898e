//! No event is lost in a burst: a child whose output makes events is not read while its listeners are behind.
//!
//! Its writes then wait in its pipe, as they would before any slow reader. A channel waits for the pools that take its
//! events, and for no other; it is read again when none of them is behind. But nobody waits for listeners that deal
//! with nothing for a while, nor for long: then the pool drops what matters least, as it must.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_config::GroupKind;
use ironlance_core::event::OutputChannel;
use ironlance_core::event::kind::EventKind;
use ironlance_core::log_level::Level;

use super::Supervisor;
use crate::io::log_backlog::{OrphanedLog, WriteTurn};
use crate::io::output::Output;
use crate::io::read_pause::{PauseChange, PauseReason};
use crate::state::congestion::Congestion;
use crate::state::ids::{GroupId, ProcessId};
use crate::state::process_table::ActiveGroup;

/// A channel that is not read at present.
pub(super) struct PausedOutput {
    id: ProcessId,
    channel: OutputChannel,
    /// The pools that it waits for; at least one.
    pools: Vec<GroupId>,
}

impl Supervisor {
    /// Keeps a child waiting that makes events faster than they are dealt with.
    pub(super) fn pause_if_congested(&mut self, id: ProcessId, channel: OutputChannel) {
        let output = self.table.process(id).and_then(|process| match channel {
            OutputChannel::Stdout => process.stdout.as_ref(),
            OutputChannel::Stderr => process.stderr.as_ref(),
        });
        let Some(output) = output.filter(|output| output.makes_events() && output.fd().is_some()) else {
            return;
        };
        let kinds = output.event_kinds();
        let now = self.clock.mono();
        let own = self.own_pool(id);
        let mut waits_for = Vec::new();
        for id in self.table.pool_ids().into_iter().filter(|pool| Some(*pool) != own) {
            let Some(group) = self.table.group_mut(id) else { continue };
            if takes_any(&group.config.kind, &kinds) && is_over(group, 3, 4) {
                let behind = group.congestion.get_or_insert(Congestion { since: now, progress: now });
                if now < behind.deadline() {
                    waits_for.push(id);
                }
            }
        }
        if waits_for.is_empty() {
            return;
        }
        match self.paused.iter_mut().find(|held| (held.id, held.channel) == (id, channel)) {
            Some(held) => held.pools = waits_for,
            None => {
                self.set_pause(id, channel, PauseChange::Pause, PauseReason::SlowListener);
                self.paused.push(PausedOutput { id, channel, pools: waits_for });
            }
        }
    }

    /// A pool has dealt with an event: who waited for it may go on once half of its room is free.
    pub(super) fn on_pool_progress(&mut self, id: GroupId) {
        let now = self.clock.mono();
        let Some(group) = self.table.group_mut(id) else { return };
        let Some(behind) = &mut group.congestion else { return };
        behind.progress = now;
        if !is_over(group, 1, 2) {
            group.congestion = None;
            self.resume_for(&[id]);
        }
    }

    /// A pool has other members than before, or is gone: how long it has been behind does not count against these.
    pub(super) fn clear_congestion(&mut self, id: GroupId) {
        if let Some(group) = self.table.group_mut(id) {
            group.congestion = None;
        }
        self.resume_for(&[id]);
    }

    /// Nobody waits for listeners that have stopped dealing with events.
    pub(super) fn expire_pauses(&mut self) {
        if self.paused.is_empty() {
            return;
        }
        let now = self.clock.mono();
        let is_over = |id: &GroupId| self.congestion_deadline(*id).is_none_or(|until| now >= until);
        let over: Vec<GroupId> =
            self.paused.iter().flat_map(|held| &held.pools).copied().filter(is_over).collect();
        self.resume_for(&over);
    }

    /// When patience with one of the pools that somebody waits for ends (monotonic).
    pub(super) fn pressure_deadline(&self) -> Option<Duration> {
        let pools = self.paused.iter().flat_map(|held| &held.pools);
        // With a pool that is behind no more it is over at once.
        pools.map(|id| self.congestion_deadline(*id).unwrap_or_default()).min()
    }

    fn congestion_deadline(&self, id: GroupId) -> Option<Duration> {
        self.table.group(id)?.congestion.map(Congestion::deadline)
    }

    /// Nobody waits for these pools any more.
    fn resume_for(&mut self, pools: &[GroupId]) {
        if pools.is_empty() {
            return;
        }
        let mut held = std::mem::take(&mut self.paused);
        held.iter_mut().for_each(|held| held.pools.retain(|id| !pools.contains(id)));
        let (held, free): (Vec<_>, Vec<_>) = held.into_iter().partition(|held| !held.pools.is_empty());
        self.paused = held;
        for PausedOutput { id, channel, .. } in free {
            self.set_pause(id, channel, PauseChange::Resume, PauseReason::SlowListener);
        }
    }
}

/// How often what was left is offered again.
const RETRY_EVERY: Duration = Duration::from_millis(10);
/// So long the daemon waits at its end for the readers of what children have left. Who stops a container kills it after
/// ten seconds.
const EXIT_GRACE: Duration = Duration::from_secs(3);

impl Supervisor {
    /// Keeps a child waiting whose log is behind.
    pub(super) fn pause_if_log_is_slow(&mut self, id: ProcessId, channel: OutputChannel) {
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
    pub(super) fn write_turn(&self, id: ProcessId, channel: OutputChannel) -> WriteTurn {
        if self.slow_logs.is_empty() && self.orphaned_logs.is_empty() {
            return WriteTurn::Now;
        }
        let output_of = |id, channel| {
            let process = self.table.process(id)?;
            match channel {
                OutputChannel::Stdout => process.stdout.as_deref(),
                OutputChannel::Stderr => process.stderr.as_deref(),
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

/// Whether a group is a pool with living listeners that is filled beyond this part of its room.
fn is_over(group: &ActiveGroup, part: usize, whole: usize) -> bool {
    let Some(pool) = &group.pool else { return false };
    pool.members().next().is_some() && pool.is_filled(part, whole)
}

/// Whether a group is a pool that asked for events of one of these types.
fn takes_any(kind: &GroupKind, kinds: &[EventKind]) -> bool {
    let GroupKind::Listeners { events, .. } = kind else { return false };
    events.iter().any(|asked| kinds.iter().any(|kind| kind.is_a(*asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_waits_only_for_pools_that_take_its_own_events() {
        let pool = |events: &[EventKind]| GroupKind::Listeners {
            events: events.to_vec(),
            buffer_size: None,
            result_handler: String::new(),
        };
        let stdout = [EventKind::ProcessLogStdout];
        assert!(takes_any(&pool(&[EventKind::ProcessLog]), &stdout));
        assert!(takes_any(&pool(&[EventKind::Tick, EventKind::Event]), &stdout));
        assert!(!takes_any(&pool(&[EventKind::ProcessLogStderr, EventKind::ProcessCommunication]), &stdout));
        assert!(!takes_any(&GroupKind::Programs, &stdout));
    }
}
