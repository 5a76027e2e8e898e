//! No event is lost in a burst: a child whose output makes events is not read while its listeners are behind.
//!
//! Its writes then wait in its pipe, as they would before any slow reader. Listeners that deal with nothing for a
//! while do not hold anybody up: then the pool drops its oldest events, as it does in the original.

use std::time::Duration;

use ironlance_config::GroupKind;
use ironlance_core::kind::EventKind;
use ironlance_core::notice::Channel;

use super::Supervisor;
use super::hear::Hold;
use super::population::ProcessId;

/// So long a child waits for listeners that make no progress.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who is kept waiting, and for how long.
#[derive(Default)]
pub(super) struct Pressure {
    held: Vec<(ProcessId, Channel)>,
    /// When the listeners last dealt with an event, or the waiting began (monotonic).
    progress: Duration,
    /// Nobody is kept waiting until the pools have room again: the listeners have stopped.
    given_up: bool,
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
        if !makes_events || self.pressure.given_up || !self.pools_over(3, 4) {
            return;
        }
        if self.pressure.held.is_empty() {
            self.pressure.progress = self.clock.now().mono;
        }
        self.hold(id, channel, Hold::Back);
        self.pressure.held.push((id, channel));
    }

    /// Listeners have dealt with events: who was kept waiting may go on once half of the room is free.
    pub(super) fn relieve(&mut self) {
        if self.pressure.held.is_empty() && !self.pressure.given_up {
            return;
        }
        self.pressure.progress = self.clock.now().mono;
        if !self.pools_over(1, 2) {
            self.pressure.given_up = false;
            self.release();
        }
    }

    /// Nobody waits for listeners that have stopped dealing with events.
    pub(super) fn lose_patience(&mut self) {
        if self.pressure_deadline().is_some_and(|deadline| self.clock.now().mono >= deadline) {
            self.pressure.given_up = true;
            self.release();
        }
    }

    /// When patience ends (monotonic).
    pub(super) fn pressure_deadline(&self) -> Option<Duration> {
        (!self.pressure.held.is_empty()).then(|| self.pressure.progress + PATIENCE)
    }

    fn release(&mut self) {
        for (id, channel) in std::mem::take(&mut self.pressure.held) {
            self.hold(id, channel, Hold::Released);
        }
    }

    /// Whether a pool with living listeners that takes log events is filled beyond this part of its room.
    fn pools_over(&self, part: usize, whole: usize) -> bool {
        self.population.groups().filter(|(_, group)| takes_output(&group.config.kind)).any(|(_, group)| {
            group.pool.as_ref().is_some_and(|pool| {
                pool.members().next().is_some() && pool.pending() * whole > pool.capacity() * part
            })
        })
    }
}

/// Whether a group is a pool that asked for events about output.
fn takes_output(kind: &GroupKind) -> bool {
    let GroupKind::Listeners { events, .. } = kind else { return false };
    let output = [EventKind::ProcessLogStdout, EventKind::ProcessLogStderr];
    events.iter().any(|asked| output.iter().any(|kind| kind.is_a(*asked)))
}
