//! No event is lost in a burst: a child whose output makes events is not read while its listeners are behind.
//!
//! Its writes then wait in its pipe, as they would before any slow reader. A channel waits for the pools that take its
//! events, and for no other; it is read again when none of them is behind. But nobody waits for listeners that deal
//! with nothing for a while, nor for long: then the pool drops what matters least, as it must.

use std::time::Duration;

use ironlance_config::GroupKind;
use ironlance_core::kind::EventKind;
use ironlance_core::notice::Channel;

use super::Supervisor;
use super::hear::{PauseChange, PauseReason};
use super::population::{ActiveGroup, GroupId, ProcessId};

/// So long a child waits for a pool that makes no progress.
const STALL_LIMIT: Duration = Duration::from_secs(2);
/// So long a child waits for a pool at all, before it has caught up.
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

/// A pool that has more to do than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Congestion {
    /// Since when (monotonic).
    since: Duration,
    /// When it last dealt with an event, or fell behind (monotonic).
    progress: Duration,
}

impl Congestion {
    /// Until when children wait for this pool.
    fn deadline(self) -> Duration {
        (self.progress + STALL_LIMIT).min(self.since + PAUSE_LIMIT)
    }
}

/// A channel that is not read at present.
pub(super) struct PausedOutput {
    id: ProcessId,
    channel: Channel,
    /// The pools that it waits for; at least one.
    pools: Vec<GroupId>,
}

impl Supervisor {
    /// Keeps a child waiting that makes events faster than they are dealt with.
    pub(super) fn pause_if_congested(&mut self, id: ProcessId, channel: Channel) {
        let output = self.table.process(id).and_then(|process| match channel {
            Channel::Stdout => process.stdout.as_ref(),
            Channel::Stderr => process.stderr.as_ref(),
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
