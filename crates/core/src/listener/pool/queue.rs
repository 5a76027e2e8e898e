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

use crate::event::Event;
use crate::event::counts::EventCounts;
use crate::event::kind::EventKind;

/// An event in a pool. It has no more than it needs: a million may wait.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct QueuedEvent {
    /// Its number over the daemon's life.
    pub(super) serial: u64,
    /// Its number over the pool's life.
    pub(super) pool_serial: u64,
    /// What has happened.
    pub(super) event: Event,
    /// How often somebody had it and did not deal with it.
    pub(super) failures: u8,
    /// How often somebody had it that was then told to stop.
    pub(super) withdrawals: u8,
}

/// What a state event costs while it waits (bytes); the names of its process are shared.
pub const STATE_EVENT_BYTES: usize = size_of::<QueuedEvent>();

impl QueuedEvent {
    pub(super) fn new(serial: u64, pool_serial: u64, event: &Event) -> Self {
        Self { serial, pool_serial, event: event.clone(), failures: 0, withdrawals: 0 }
    }

    /// What it takes in memory (bytes).
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.event.heap_bytes()
    }
}

/// How much an event matters when one must go; the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    /// Output, which is in the log file as well.
    Output,
    /// Ticks, messages, groups.
    Notification,
    /// A state on the way to another.
    Transient,
    /// What became of a process or the daemon: somebody waits for it.
    Final,
}

/// The lanes: one for each tick, then one for each weight.
const CLASSES: usize = 7;
/// The types of which a later event makes an earlier one needless.
const TICKS: [EventKind; 3] = [EventKind::Tick5, EventKind::Tick60, EventKind::Tick3600];
/// The lanes of each weight, the least first.
const PRIORITIES: [(Priority, &[usize]); 4] = [
    (Priority::Output, &[3]),
    (Priority::Notification, &[0, 1, 2, 4]),
    (Priority::Transient, &[5]),
    (Priority::Final, &[6]),
];
/// The first lane of states.
const FIRST_STATE_CLASS: usize = 5;

fn class_of(kind: EventKind) -> usize {
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
pub(super) enum Eviction {
    /// It waited, or was the new one.
    Dropped { serial: u64, kind: EventKind },
    /// A tick, of which a later one waits or comes.
    Merged { serial: u64 },
}

/// The queue; each lane is sorted by `pool_serial` always.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    classes: [VecDeque<QueuedEvent>; CLASSES],
    /// What all events take in memory, and those that are no states (bytes).
    memory: usize,
    minor_memory: usize,
}

/// A lane that has had more room than this gives it back when it is empty (events).
const MAX_IDLE_CAPACITY: usize = 1024;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.classes.iter().map(VecDeque::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.classes.iter().all(VecDeque::is_empty)
    }

    /// How many events are no states.
    pub(super) fn minor(&self) -> usize {
        self.classes[..FIRST_STATE_CLASS].iter().map(VecDeque::len).sum()
    }

    pub(super) const fn memory(&self) -> usize {
        self.memory
    }

    /// The same of events that are no states.
    pub(super) const fn minor_memory(&self) -> usize {
        self.minor_memory
    }

    /// How many wait of each type.
    pub(super) fn counts(&self) -> EventCounts {
        self.classes.iter().flatten().map(|event| event.event.kind()).collect()
    }

    /// The events, the oldest first.
    #[cfg(test)]
    pub(super) fn sorted(&self) -> Vec<&QueuedEvent> {
        let mut all: Vec<&QueuedEvent> = self.classes.iter().flatten().collect();
        all.sort_by_key(|event| event.pool_serial);
        all
    }

    /// Puts an event in its place: at the end if it is new, before all later ones if it comes back.
    pub(super) fn insert(&mut self, event: QueuedEvent) {
        let number = class_of(event.event.kind());
        let memory = event.memory();
        self.memory += memory;
        if number < FIRST_STATE_CLASS {
            self.minor_memory += memory;
        }
        let lane = &mut self.classes[number];
        match lane.back() {
            Some(last) if last.pool_serial > event.pool_serial => {
                let at = lane.partition_point(|other| other.pool_serial < event.pool_serial);
                lane.insert(at, event);
            }
            _ => lane.push_back(event),
        }
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<QueuedEvent> {
        let oldest = self.oldest_of(&[0, 1, 2, 3, 4, 5, 6])?;
        self.take(oldest)
    }

    /// Whether an event of this type is a state.
    pub(super) fn is_state(kind: EventKind) -> bool {
        class_of(kind) >= FIRST_STATE_CLASS
    }

    /// Gives up one event for a new one of this type: a tick of which there is a later one, else the oldest of what
    /// matters least. `None` when the new one matters least.
    pub(super) fn evict_for(&mut self, new: EventKind) -> Option<Eviction> {
        if let Some(lane) = self.mergeable(new) {
            return self.take(lane).map(|event| Eviction::Merged { serial: event.serial });
        }
        let own = class_of(new);
        for (_, lanes) in PRIORITIES {
            if let Some(lane) = self.oldest_of(lanes) {
                return self
                    .take(lane)
                    .map(|event| Eviction::Dropped { serial: event.serial, kind: event.event.kind() });
            }
            if lanes.contains(&own) {
                return None;
            }
        }
        None
    }

    /// The lane of the oldest tick of which a later one of the same type waits, or is `new`.
    fn mergeable(&self, new: EventKind) -> Option<usize> {
        let is_twice = |lane: &usize| self.classes[*lane].len() + usize::from(TICKS[*lane] == new) >= 2;
        let twice: Vec<usize> = (0..TICKS.len()).filter(is_twice).collect();
        self.oldest_of(&twice)
    }

    /// Of these lanes the one with the oldest event.
    fn oldest_of(&self, lanes: &[usize]) -> Option<usize> {
        let fronts = lanes.iter().filter_map(|lane| Some((self.classes[*lane].front()?.pool_serial, *lane)));
        fronts.min().map(|(_, lane)| lane)
    }

    fn take(&mut self, number: usize) -> Option<QueuedEvent> {
        let lane = &mut self.classes[number];
        let event = lane.pop_front()?;
        if lane.is_empty() && lane.capacity() > MAX_IDLE_CAPACITY {
            lane.shrink_to(0);
        }
        let memory = event.memory();
        self.memory -= memory;
        if number < FIRST_STATE_CLASS {
            self.minor_memory -= memory;
        }
        Some(event)
    }
}
