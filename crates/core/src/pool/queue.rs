//! The events of a pool that wait, in the order of their serials, and which of them goes when there are too many.
//!
//! A lane for each class, because the next to go is then at a lane's front: nothing is searched, however many wait.
//!
//! ```text
//!   given up first                                                                      given up last
//!   ticks of which a later one waits ─ output ─ messages, ─ STARTING, RUNNING, ─ all other states
//!                                               last ticks   STOPPING
//! ```

use std::collections::VecDeque;

use crate::kind::EventKind;
use crate::notice::{Body, Notice};
use crate::tally::Tally;

/// An event in a pool. It has no more than it needs: a million may wait.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// Its number over the daemon's life.
    pub(super) serial: u64,
    /// Its number over the pool's life.
    pub(super) pool_serial: u64,
    /// What it says.
    pub(super) body: Body,
    /// Its type.
    pub(super) kind: EventKind,
    /// How often somebody had it and did not deal with it.
    pub(super) failures: u8,
    /// How often somebody had it that was then told to stop.
    pub(super) withdrawals: u8,
}

/// What a state event costs while it waits (bytes); the names of its process are shared.
pub const STATE_EVENT: usize = size_of::<Waiting>();

impl Waiting {
    pub(super) fn new(serial: u64, pool_serial: u64, notice: &Notice) -> Self {
        Self {
            serial,
            pool_serial,
            body: notice.body.clone(),
            kind: notice.kind,
            failures: 0,
            withdrawals: 0,
        }
    }

    /// What it takes in memory (bytes).
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>() + self.body.on_heap()
    }
}

/// How much an event matters when one must go; the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Output, which is in the log file as well.
    Output,
    /// Ticks, messages, groups.
    Passing,
    /// A state on the way to another.
    Transient,
    /// What became of a process or the daemon: somebody waits for it.
    Lasting,
}

/// The lanes: one for each tick, then one for each weight.
const LANES: usize = 7;
/// The types of which a later event makes an earlier one needless.
const TICKS: [EventKind; 3] = [EventKind::Tick5, EventKind::Tick60, EventKind::Tick3600];
/// The lanes of each weight, the least first.
const WEIGHTS: [(Weight, &[usize]); 4] = [
    (Weight::Output, &[3]),
    (Weight::Passing, &[0, 1, 2, 4]),
    (Weight::Transient, &[5]),
    (Weight::Lasting, &[6]),
];
/// The first lane of states.
const STATES: usize = 5;

fn lane_of(kind: EventKind) -> usize {
    match kind {
        EventKind::Tick5 => 0,
        EventKind::Tick60 => 1,
        EventKind::Tick3600 => 2,
        EventKind::ProcessLog | EventKind::ProcessLogStdout | EventKind::ProcessLogStderr => 3,
        EventKind::ProcessStateStarting
        | EventKind::ProcessStateRunning
        | EventKind::ProcessStateStopping => 5,
        EventKind::ProcessState
        | EventKind::ProcessStateStopped
        | EventKind::ProcessStateExited
        | EventKind::ProcessStateBackoff
        | EventKind::ProcessStateFatal
        | EventKind::ProcessStateUnknown
        | EventKind::SupervisorStateChange
        | EventKind::SupervisorStateChangeRunning
        | EventKind::SupervisorStateChangeStopping => 6,
        EventKind::Event
        | EventKind::ProcessCommunication
        | EventKind::ProcessCommunicationStdout
        | EventKind::ProcessCommunicationStderr
        | EventKind::RemoteCommunication
        | EventKind::Tick
        | EventKind::ProcessGroup
        | EventKind::ProcessGroupAdded
        | EventKind::ProcessGroupRemoved => 4,
    }
}

/// An event that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It waited, or was the new one.
    Dropped { serial: u64, kind: EventKind },
    /// A tick, of which a later one waits or comes.
    Merged { serial: u64 },
}

/// The queue; each lane is sorted by `pool_serial` always.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: [VecDeque<Waiting>; LANES],
    /// What all events take in memory, and those that are no states (bytes).
    cost: usize,
    minor_cost: usize,
}

/// A lane that has had more room than this gives it back when it is empty (events).
const KEPT_ROOM: usize = 1024;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(VecDeque::is_empty)
    }

    /// How many events are no states.
    pub(super) fn minor(&self) -> usize {
        self.lanes[..STATES].iter().map(VecDeque::len).sum()
    }

    pub(super) const fn cost(&self) -> usize {
        self.cost
    }

    /// The same of events that are no states.
    pub(super) const fn minor_cost(&self) -> usize {
        self.minor_cost
    }

    /// How many wait of each type.
    pub(super) fn tally(&self) -> Tally {
        self.lanes.iter().flatten().map(|event| event.kind).collect()
    }

    /// The events, the oldest first.
    #[cfg(test)]
    pub(super) fn sorted(&self) -> Vec<&Waiting> {
        let mut all: Vec<&Waiting> = self.lanes.iter().flatten().collect();
        all.sort_by_key(|event| event.pool_serial);
        all
    }

    /// Puts an event in its place: at the end if it is new, before all later ones if it comes back.
    pub(super) fn insert(&mut self, event: Waiting) {
        let number = lane_of(event.kind);
        let cost = event.cost();
        self.cost += cost;
        if number < STATES {
            self.minor_cost += cost;
        }
        let lane = &mut self.lanes[number];
        match lane.back() {
            Some(last) if last.pool_serial > event.pool_serial => {
                let at = lane.partition_point(|other| other.pool_serial < event.pool_serial);
                lane.insert(at, event);
            }
            _ => lane.push_back(event),
        }
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let oldest = self.oldest_of(&[0, 1, 2, 3, 4, 5, 6])?;
        self.take(oldest)
    }

    /// Whether an event of this type is a state.
    pub(super) fn is_state(kind: EventKind) -> bool {
        lane_of(kind) >= STATES
    }

    /// Gives up one event for a new one of this type: a tick of which there is a later one, else the oldest of what
    /// matters least. `None` when the new one matters least.
    pub(super) fn sacrifice(&mut self, new: EventKind) -> Option<Lost> {
        if let Some(lane) = self.mergeable(new) {
            return self.take(lane).map(|event| Lost::Merged { serial: event.serial });
        }
        let own = lane_of(new);
        for (_, lanes) in WEIGHTS {
            if let Some(lane) = self.oldest_of(lanes) {
                return self.take(lane).map(|event| Lost::Dropped { serial: event.serial, kind: event.kind });
            }
            if lanes.contains(&own) {
                return None;
            }
        }
        None
    }

    /// The lane of the oldest tick of which a later one of the same type waits, or is `new`.
    fn mergeable(&self, new: EventKind) -> Option<usize> {
        let is_twice = |lane: &usize| self.lanes[*lane].len() + usize::from(TICKS[*lane] == new) >= 2;
        let twice: Vec<usize> = (0..TICKS.len()).filter(is_twice).collect();
        self.oldest_of(&twice)
    }

    /// Of these lanes the one with the oldest event.
    fn oldest_of(&self, lanes: &[usize]) -> Option<usize> {
        let fronts = lanes.iter().filter_map(|lane| Some((self.lanes[*lane].front()?.pool_serial, *lane)));
        fronts.min().map(|(_, lane)| lane)
    }

    fn take(&mut self, number: usize) -> Option<Waiting> {
        let lane = &mut self.lanes[number];
        let event = lane.pop_front()?;
        if lane.is_empty() && lane.capacity() > KEPT_ROOM {
            lane.shrink_to(0);
        }
        let cost = event.cost();
        self.cost -= cost;
        if number < STATES {
            self.minor_cost -= cost;
        }
        Some(event)
    }
}
