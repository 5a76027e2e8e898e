//! The events of a pool that wait, in the order of their serials, and which of them goes when there are too many.

use std::collections::VecDeque;

use crate::kind::EventKind;
use crate::notice::Notice;

/// An event in a pool.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    /// Its number over the daemon's life.
    pub(super) serial: u64,
    /// Its number over the pool's life.
    pub(super) pool_serial: u64,
    /// The event.
    pub(super) notice: Notice,
}

/// What a full queue gave up for a new event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing, there was room.
    Nothing,
    /// The waiting event of that serial.
    Dropped(u64),
    /// The waiting tick of that serial, of which a later one waits or comes.
    Merged(u64),
    /// The new event itself.
    New,
}

/// How much an event matters when one must go; the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Output, which is in the log file as well.
    Log,
    /// Ticks, messages, groups.
    Passing,
    /// What became of a process or the daemon: somebody waits for it.
    State,
}

impl Weight {
    fn of(kind: EventKind) -> Self {
        if kind.is_a(EventKind::ProcessState) || kind.is_a(EventKind::SupervisorStateChange) {
            Self::State
        } else if kind.is_a(EventKind::ProcessLog) {
            Self::Log
        } else {
            Self::Passing
        }
    }
}

/// The queue; sorted by `pool_serial` always.
#[derive(Debug)]
pub(super) struct Queue {
    events: VecDeque<Waiting>,
    /// The bytes of all bodies.
    bytes: usize,
    /// How many ticks wait, of each of [`TICKS`].
    ticks: [usize; 3],
}

/// The types of which a later event makes an earlier one needless.
const TICKS: [EventKind; 3] = [EventKind::Tick5, EventKind::Tick60, EventKind::Tick3600];

impl Queue {
    pub(super) const fn new() -> Self {
        Self { events: VecDeque::new(), bytes: 0, ticks: [0; 3] }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, the oldest first.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.events.iter()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an event in its place: at the end if it is new, before all later ones if it comes back.
    pub(super) fn insert(&mut self, event: Waiting) {
        self.bytes += event.notice.body.len();
        if let Some(number) = tick_number(event.notice.kind) {
            self.ticks[number] += 1;
        }
        match self.events.back() {
            Some(last) if last.pool_serial > event.pool_serial => {
                let at = self.events.partition_point(|other| other.pool_serial < event.pool_serial);
                self.events.insert(at, event);
            }
            _ => self.events.push_back(event),
        }
    }

    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.remove(0)
    }

    /// Gives up one event for `new`: a tick of which there is a later one, else the oldest of what matters least.
    pub(super) fn sacrifice(&mut self, new: &Waiting) -> Lost {
        if let Some(at) = self.mergeable(new.notice.kind) {
            return self.remove(at).map_or(Lost::Nothing, |event| Lost::Merged(event.serial));
        }
        let own = Weight::of(new.notice.kind);
        for weight in [Weight::Log, Weight::Passing, Weight::State] {
            let hit = |event: &Waiting| Weight::of(event.notice.kind) == weight;
            if let Some(at) = self.events.iter().position(hit) {
                return self.remove(at).map_or(Lost::Nothing, |event| Lost::Dropped(event.serial));
            }
            if own == weight {
                return Lost::New;
            }
        }
        Lost::New
    }

    /// The oldest tick of which a later one of the same type waits, or is `new`.
    fn mergeable(&self, new: EventKind) -> Option<usize> {
        let mut count = self.ticks;
        if let Some(number) = tick_number(new) {
            count[number] += 1;
        }
        if count.iter().all(|count| *count < 2) {
            return None;
        }
        let twice = |event: &Waiting| tick_number(event.notice.kind).is_some_and(|number| count[number] >= 2);
        self.events.iter().position(twice)
    }

    fn remove(&mut self, at: usize) -> Option<Waiting> {
        let event = self.events.remove(at)?;
        self.bytes -= event.notice.body.len();
        if let Some(number) = tick_number(event.notice.kind) {
            self.ticks[number] -= 1;
        }
        Some(event)
    }
}

fn tick_number(kind: EventKind) -> Option<usize> {
    TICKS.into_iter().position(|tick| tick == kind)
}
