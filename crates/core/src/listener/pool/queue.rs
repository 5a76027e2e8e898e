//! The events of a pool that wait, in the order of their serials, and which of them goes when there are too many.
//!
//! A FIFO for each class of events: the next to evict is then at a front, and no search is needed.
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
    /// How often a member had it and did not deal with it.
    pub(super) failures: u8,
    /// How often a member had it that was then stopped on request.
    pub(super) withdrawals: u8,
}

/// The memory of a queued state event (bytes); the names of its process are shared.
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

/// One class for each tick, then one for each of output, messages, states on the way to another, and final states.
const CLASSES: usize = 7;
/// The types of which a later event supersedes an earlier one.
const TICKS: [EventKind; 3] = [EventKind::Tick5, EventKind::Tick60, EventKind::Tick3600];
/// The classes of each priority, the least first: output is in the log file as well.
const BY_PRIORITY: [&[usize]; 4] = [&[3], &[0, 1, 2, 4], &[5], &[6]];
/// The first class of states.
const FIRST_STATE_CLASS: usize = 5;

fn class_of(kind: EventKind) -> usize {
    match kind {
        EventKind::Tick5 => 0,
        EventKind::Tick60 => 1,
        EventKind::Tick3600 => 2,
        EventKind::ProcessLogStdout | EventKind::ProcessLogStderr => 3,
        EventKind::ProcessStateStarting
        | EventKind::ProcessStateRunning
        | EventKind::ProcessStateStopping => 5,
        kind if kind.is_any_of(&[EventKind::ProcessState, EventKind::SupervisorStateChange]) => 6,
        _ => 4,
    }
}

/// An event that was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eviction {
    /// It waited, or was the new one.
    Dropped { serial: u64, kind: EventKind },
    /// A tick, of which a later one waits or comes.
    Merged { serial: u64 },
}

/// The queue; each class is always sorted by `pool_serial`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    classes: [VecDeque<QueuedEvent>; CLASSES],
    /// What all events take in memory, and those that are no states (bytes).
    memory: usize,
    minor_memory: usize,
}

/// An empty class with a larger capacity than this is shrunk (events).
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
        let class = &mut self.classes[number];
        match class.back() {
            Some(last) if last.pool_serial > event.pool_serial => {
                let at = class.partition_point(|other| other.pool_serial < event.pool_serial);
                class.insert(at, event);
            }
            _ => class.push_back(event),
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

    /// Evicts one event for a new one of this type: a tick of which there is a later one, else the oldest of what
    /// matters least. `None` when the new one matters least.
    pub(super) fn evict_for(&mut self, new: EventKind) -> Option<Eviction> {
        if let Some(class) = self.mergeable(new) {
            return self.take(class).map(|event| Eviction::Merged { serial: event.serial });
        }
        let own = class_of(new);
        for classes in BY_PRIORITY {
            if let Some(class) = self.oldest_of(classes) {
                return self
                    .take(class)
                    .map(|event| Eviction::Dropped { serial: event.serial, kind: event.event.kind() });
            }
            if classes.contains(&own) {
                return None;
            }
        }
        None
    }

    /// The class of the oldest tick of which a later one of the same type waits, or is `new`.
    fn mergeable(&self, new: EventKind) -> Option<usize> {
        let is_twice = |class: &usize| self.classes[*class].len() + usize::from(TICKS[*class] == new) >= 2;
        let twice: Vec<usize> = (0..TICKS.len()).filter(is_twice).collect();
        self.oldest_of(&twice)
    }

    /// Of these classes the one with the oldest event.
    fn oldest_of(&self, classes: &[usize]) -> Option<usize> {
        let fronts =
            classes.iter().filter_map(|class| Some((self.classes[*class].front()?.pool_serial, *class)));
        fronts.min().map(|(_, class)| class)
    }

    fn take(&mut self, number: usize) -> Option<QueuedEvent> {
        let class = &mut self.classes[number];
        let event = class.pop_front()?;
        if class.is_empty() && class.capacity() > MAX_IDLE_CAPACITY {
            class.shrink_to(0);
        }
        let memory = event.memory();
        self.memory -= memory;
        if number < FIRST_STATE_CLASS {
            self.minor_memory -= memory;
        }
        Some(event)
    }
}
