//! Back-pressure from listeners: output that makes events is not read while the pools that take them are behind.
//!
//! The child's writes then wait in its pipe. A channel waits for the pools that take its events, and for no other; it is
//! read again when none of them is behind, or when they have made no progress for two seconds, or at the latest after
//! ten: then a full pool drops the events of the least priority.

use std::time::Duration;

use ironlance_config::GroupKind;
use ironlance_core::event::OutputChannel;
use ironlance_core::event::kind::EventKind;
use ironlance_core::listener::backpressure::FillLevel;

use super::command::Command;
use super::ids::{GroupId, ProcessId};
use super::process_table::ActiveGroup;
use super::timers::Timer;
use super::{State, Turn};

/// Output that is not read at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PausedOutput {
    id: ProcessId,
    channel: OutputChannel,
    /// The pools that it waits for; at least one.
    pools: Vec<GroupId>,
}

impl State {
    /// Pauses output that makes events of these types faster than they are dealt with.
    pub(crate) fn pause_if_congested(
        &mut self,
        id: ProcessId,
        channel: OutputChannel,
        kinds: &[EventKind],
        turn: &mut Turn<'_>,
    ) {
        let now = turn.now.mono;
        let own = self.own_pool(id);
        let mut waits_for = Vec::new();
        for pool in self.table.pool_ids().into_iter().filter(|pool| Some(*pool) != own) {
            let Some(group) = self.table.group_mut(pool) else { continue };
            if takes_any(&group.config.kind, kinds) && group.backpressure.must_wait(fill_level(group), now) {
                waits_for.push(pool);
            }
        }
        if waits_for.is_empty() {
            return;
        }
        match self.paused.iter_mut().find(|paused| (paused.id, paused.channel) == (id, channel)) {
            Some(paused) => paused.pools = waits_for,
            None => {
                turn.push(Command::PauseReads(id, channel));
                self.paused.push(PausedOutput { id, channel, pools: waits_for });
            }
        }
        self.reschedule_pauses(turn);
    }

    /// A pool has dealt with an event: output that waits for it is read again once half of its room is free.
    pub(crate) fn on_pool_progress(&mut self, id: GroupId, turn: &mut Turn<'_>) {
        let Some(group) = self.table.group_mut(id) else { return };
        if group.backpressure.deadline().is_none() {
            return;
        }
        let level = fill_level(group);
        if group.backpressure.progress(level, turn.now.mono) {
            self.resume_for(&[id], turn);
        } else {
            self.reschedule_pauses(turn);
        }
    }

    /// A pool has other members than before, or is gone.
    pub(crate) fn reset_backpressure(&mut self, id: GroupId, turn: &mut Turn<'_>) {
        if let Some(group) = self.table.group_mut(id) {
            group.backpressure.reset();
        }
        self.resume_for(&[id], turn);
    }

    /// Reads output again whose pools have not caught up in time.
    pub(crate) fn expire_pauses(&mut self, turn: &mut Turn<'_>) {
        let is_over = |id: &GroupId| turn.now.mono >= self.pause_deadline(*id);
        let over: Vec<GroupId> =
            self.paused.iter().flat_map(|paused| &paused.pools).copied().filter(is_over).collect();
        self.resume_for(&over, turn);
    }

    /// All output is read again: after a fault of our own the pauses may be wrong.
    pub(crate) fn end_all_pauses(&mut self, turn: &mut Turn<'_>) {
        self.paused.clear();
        self.reschedule_pauses(turn);
    }

    /// The pipes of a process are closed. Its next child is not paused for what this one wrote.
    pub(crate) fn forget_pauses(&mut self, id: ProcessId, turn: &mut Turn<'_>) {
        self.paused.retain(|paused| paused.id != id);
        self.reschedule_pauses(turn);
    }

    /// Whether an output waits for a pool.
    #[cfg(test)]
    pub(crate) fn is_paused(&self, id: ProcessId, channel: OutputChannel) -> bool {
        self.paused.iter().any(|paused| (paused.id, paused.channel) == (id, channel))
    }

    /// When output is read again though a pool is behind; at once with one that is behind no more.
    fn pause_deadline(&self, id: GroupId) -> Duration {
        self.table.group(id).and_then(|group| group.backpressure.deadline()).unwrap_or_default()
    }

    fn reschedule_pauses(&self, turn: &mut Turn<'_>) {
        let pools = self.paused.iter().flat_map(|paused| &paused.pools);
        turn.timers.set(Timer::Pauses, pools.map(|id| self.pause_deadline(*id)).min());
    }

    /// No output waits for these pools any more.
    fn resume_for(&mut self, pools: &[GroupId], turn: &mut Turn<'_>) {
        for paused in &mut self.paused {
            paused.pools.retain(|id| !pools.contains(id));
        }
        for PausedOutput { id, channel, .. } in self.paused.extract_if(.., |paused| paused.pools.is_empty()) {
            turn.push(Command::ResumeReads(id, channel));
        }
        self.reschedule_pauses(turn);
    }
}

/// How full a group is, where it is a pool with living listeners.
fn fill_level(group: &ActiveGroup) -> FillLevel {
    group.pool.as_ref().map_or(FillLevel::Low, FillLevel::of)
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
