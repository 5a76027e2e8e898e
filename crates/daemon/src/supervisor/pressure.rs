//! No event is lost in a burst: a child whose output makes events is not read while its listeners are behind.
//!
//! Its writes then wait in its pipe, as they would before any slow reader. But nobody waits for listeners that deal
//! with nothing for a while, nor for long: then the pool drops its oldest events, as it does in the original.

use std::time::Duration;

use ironlance_config::GroupKind;
use ironlance_core::kind::EventKind;
use ironlance_core::notice::Channel;
use ironlance_core::pool::MAX_BYTES;

use super::Supervisor;
use super::hear::{Hold, Why};
use super::population::{Group, GroupId, ProcessId};

/// So long a child waits for a pool that makes no progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long a child waits for a pool at all, before it has caught up.
const LONGEST: Duration = Duration::from_secs(10);

/// A pool that has more to do than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    /// Since when (monotonic).
    since: Duration,
    /// When it last dealt with an event, or fell behind (monotonic).
    progress: Duration,
}

impl Behind {
    /// Until when children wait for this pool.
    fn patience_ends(self) -> Duration {
        (self.progress + PATIENCE).min(self.since + LONGEST)
    }
}

impl Supervisor {
    /// Keeps a child waiting that makes events faster than they are dealt with.
    pub(super) fn hold_if_behind(&mut self, id: ProcessId, channel: Channel) {
        let makes_events = self.population.process(id).is_some_and(|process| {
            let output = match channel {
                Channel::Stdout => process.stdout.as_ref(),
                Channel::Stderr => process.stderr.as_ref(),
            };
            output.is_some_and(|output| output.makes_events() && output.fd().is_some())
        });
        if !makes_events {
            return;
        }
        let now = self.clock.mono();
        let mut hold = false;
        for id in self.population.pool_ids() {
            let Some(group) = self.population.group_mut(id) else { continue };
            if is_over(group, 3, 4) {
                let behind = group.behind.get_or_insert(Behind { since: now, progress: now });
                hold |= now < behind.patience_ends();
            }
        }
        if hold {
            self.hold(id, channel, Hold::Back, Why::Listeners);
            self.held.push((id, channel));
        }
    }

    /// A pool has dealt with an event: who waited for it may go on once half of its room is free.
    pub(super) fn relieve(&mut self, id: GroupId) {
        let now = self.clock.mono();
        let Some(group) = self.population.group_mut(id) else { return };
        let Some(behind) = &mut group.behind else { return };
        behind.progress = now;
        if !is_over(group, 1, 2) {
            group.behind = None;
            self.release();
        }
    }

    /// A pool has other members than before: how long it has been behind does not count against these.
    pub(super) fn forget_that_it_was_behind(&mut self, id: GroupId) {
        if let Some(group) = self.population.group_mut(id) {
            group.behind = None;
        }
    }

    /// Nobody waits for listeners that have stopped dealing with events.
    pub(super) fn lose_patience(&mut self) {
        if self.pressure_deadline().is_some_and(|deadline| self.clock.mono() >= deadline) {
            self.release();
        }
    }

    /// When patience ends, if somebody waits (monotonic).
    pub(super) fn pressure_deadline(&self) -> Option<Duration> {
        if self.held.is_empty() {
            return None;
        }
        let behind = self.population.pools().filter_map(|(_, group)| group.behind);
        // Without a pool to wait for it is over at once.
        Some(behind.map(Behind::patience_ends).max().unwrap_or_default())
    }

    fn release(&mut self) {
        for (id, channel) in std::mem::take(&mut self.held) {
            self.hold(id, channel, Hold::Released, Why::Listeners);
        }
    }
}

/// Whether a group is a pool with living listeners, has asked for output, and is filled beyond this part of its room.
fn is_over(group: &Group, part: usize, whole: usize) -> bool {
    let Some(pool) = &group.pool else { return false };
    takes_output(&group.config.kind)
        && pool.members().next().is_some()
        && (pool.pending() * whole > pool.capacity() * part
            || pool.pending_bytes() * whole > MAX_BYTES * part)
}

/// Whether a group is a pool that asked for events about output.
fn takes_output(kind: &GroupKind) -> bool {
    let GroupKind::Listeners { events, .. } = kind else { return false };
    let output = [
        EventKind::ProcessLogStdout,
        EventKind::ProcessLogStderr,
        EventKind::ProcessCommunicationStdout,
        EventKind::ProcessCommunicationStderr,
    ];
    events.iter().any(|asked| output.iter().any(|kind| kind.is_a(*asked)))
}
