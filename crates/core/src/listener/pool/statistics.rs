//! Statistics of a pool, for clients and the owner.

use super::{BACKPRESSURE_EVENTS, Capacity, FIXED_BYTES, MINOR_BYTES, Member, MemberId, Pool, STATE_BYTES};
use crate::event::counts::EventCounts;
use crate::listener::protocol::ListenerState;
use crate::process::name::{GroupName, ProcessName};

/// A member as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView<'a> {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: &'a ProcessName,
    /// Its state.
    pub state: ListenerState,
    /// The serial of the event it has.
    pub event: Option<u64>,
    /// Its last result, cut where it is long; `None` before the first.
    pub last_result: Option<String>,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferUsage {
    /// How many events wait; those that members have do not count.
    pub pending: usize,
    /// How many may wait, where `buffer_size` says so.
    pub capacity: Option<usize>,
    /// What those that wait take in memory (bytes).
    pub bytes: usize,
    /// What they may take (bytes).
    pub capacity_bytes: usize,
    /// There is no room for more, or as good as none.
    pub is_full: bool,
}

impl Pool {
    /// How full it is.
    pub fn buffer(&self) -> BufferUsage {
        let later: usize = self.delayed.iter().map(|(_, event)| event.memory()).sum();
        let bytes = self.queue.memory() + later;
        let pending = self.queue.len() + self.delayed.len();
        let (capacity, capacity_bytes) = match self.capacity {
            Capacity::Default => (None, MINOR_BYTES + STATE_BYTES),
            Capacity::Fixed(max) => (Some(max), FIXED_BYTES),
        };
        // What may come next is unknown: a buffer that has no room for output is full, too.
        let rest = capacity_bytes / 8;
        let minor_is_full =
            self.capacity == Capacity::Default && self.queue.minor_memory() + MINOR_BYTES / 8 > MINOR_BYTES;
        let is_full =
            capacity.is_some_and(|max| pending >= max) || bytes + rest > capacity_bytes || minor_is_full;
        BufferUsage { pending, capacity, bytes, capacity_bytes, is_full }
    }

    /// Whether it is filled beyond this part of its room with events that make writers wait: all where `buffer_size`
    /// is set, else those that are no states.
    pub fn is_filled(&self, part: usize, whole: usize) -> bool {
        let beyond = |is: usize, most: usize| is.saturating_mul(whole) > most.saturating_mul(part);
        match self.capacity {
            Capacity::Default => {
                beyond(self.queue.minor(), BACKPRESSURE_EVENTS)
                    || beyond(self.queue.minor_memory(), MINOR_BYTES)
            }
            Capacity::Fixed(max) => beyond(self.queue.len(), max) || beyond(self.queue.memory(), FIXED_BYTES),
        }
    }

    /// What waits, by type, with what members have: all that is not dealt with.
    pub fn unanswered(&self) -> EventCounts {
        let mut tally = self.queue.counts();
        let held = self.members.iter().filter_map(|member| member.event.as_ref());
        held.chain(self.delayed.iter().map(|(_, event)| event))
            .for_each(|event| tally.add(event.event.kind()));
        tally
    }

    /// The serial number in the pool that its next event gets: how many it was offered, with those of its predecessors.
    pub const fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// How many events wait; those that members have do not count.
    pub fn pending(&self) -> usize {
        self.queue.len() + self.delayed.len()
    }

    /// The events that were lost because the buffer was full.
    pub const fn dropped(&self) -> &EventCounts {
        &self.dropped
    }

    /// How many ticks were dropped in favour of a later one of their type.
    pub const fn merged(&self) -> u64 {
        self.merged
    }

    /// How many events were answered, and not rejected.
    pub const fn answered(&self) -> u64 {
        self.answered
    }

    /// The events that were given up after all redeliveries.
    pub const fn dead_letters(&self) -> &EventCounts {
        &self.dead_letters
    }

    /// How often a member wrote stray output, over its restarts, and the beginning of the last.
    pub fn stray_output(&self, id: MemberId) -> (u64, String) {
        let past = || self.past_stray.get(&id).cloned().unwrap_or_default();
        self.members.iter().find(|member| member.id == id).map_or_else(past, Member::stray_output)
    }

    /// The name of the pool.
    pub const fn name(&self) -> &GroupName {
        &self.name
    }

    /// The members, in the order in which they are tried.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        self.members.iter().map(|member| MemberView {
            id: member.id,
            name: &member.name,
            state: member.parser.state(),
            event: member.event.as_ref().map(|event| event.serial),
            last_result: member.last_result.as_deref().map(str::to_owned),
        })
    }
}
