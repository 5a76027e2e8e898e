//! [`Bus`]: which pools have subscribed to which types of events, and the serial number of each event.

use crate::event::kind::EventKind;

/// A listener pool, by the owner's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolId(pub u32);

/// The subscriptions of all pools, and the serial numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bus {
    /// In the order of subscribing, which is the order of handing out.
    subscriptions: Vec<(PoolId, KindSet)>,
    /// The union of all subscriptions.
    wanted: KindSet,
    next_serial: u64,
}

/// A set of types, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct KindSet(u32);

/// Every type has a bit of its own.
const _: () = assert!(EventKind::ALL.len() <= u32::BITS as usize, "a set of types has a bit for each type");

impl KindSet {
    /// Each of `asked`, and every kind of it.
    fn descendants_of(asked: &[EventKind]) -> Self {
        let hit = |kind: &EventKind| asked.iter().any(|ancestor| kind.is_a(*ancestor));
        Self(EventKind::ALL.into_iter().filter(hit).fold(0, |bits, kind| bits | Self::bit(kind)))
    }

    const fn bit(kind: EventKind) -> u32 {
        1 << kind as u32
    }

    const fn contains(self, kind: EventKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }
}

impl Bus {
    /// Subscribes `pool` to `asked` and all their kinds; its earlier subscription is replaced.
    pub fn subscribe(&mut self, pool: PoolId, asked: &[EventKind]) {
        let kinds = KindSet::descendants_of(asked);
        match self.subscriptions.iter_mut().find(|(id, _)| *id == pool) {
            Some((_, before)) => *before = kinds,
            None => self.subscriptions.push((pool, kinds)),
        }
        self.refresh_wanted();
    }

    /// Ends the subscription of `pool`.
    pub fn unsubscribe(&mut self, pool: PoolId) {
        self.subscriptions.retain(|(id, _)| *id != pool);
        self.refresh_wanted();
    }

    /// Whether any pool has subscribed to events of this type; if not, none need be made.
    pub const fn wants(&self, kind: EventKind) -> bool {
        self.wanted.contains(kind)
    }

    /// The event's serial number, from 0, and the pools to offer it to, each once. A number is used only where a pool
    /// takes the event. `but` is left out.
    pub fn publish(&mut self, kind: EventKind, but: Option<PoolId>) -> Option<(u64, Vec<PoolId>)> {
        if !self.wants(kind) {
            return None;
        }
        let takes = |(pool, kinds): &&(PoolId, KindSet)| kinds.contains(kind) && Some(*pool) != but;
        let takers: Vec<PoolId> = self.subscriptions.iter().filter(takes).map(|(pool, _)| *pool).collect();
        if takers.is_empty() {
            return None;
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        Some((serial, takers))
    }

    /// The number that the next event gets.
    pub const fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// Goes on counting at `serial`, where it is later: events with the numbers before it wait still.
    pub fn advance_serial_to(&mut self, serial: u64) {
        self.next_serial = self.next_serial.max(serial);
    }

    fn refresh_wanted(&mut self) {
        self.wanted = KindSet(self.subscriptions.iter().fold(0, |bits, (_, kinds)| bits | kinds.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_goes_once_to_each_pool_that_wants_it_or_a_parent_of_it() {
        let mut bus = Bus::default();
        bus.subscribe(PoolId(7), &[EventKind::Event, EventKind::Tick, EventKind::Tick5]);
        bus.subscribe(PoolId(3), &[EventKind::ProcessState]);
        bus.subscribe(PoolId(4), &[EventKind::Tick60]);
        assert_eq!(bus.publish(EventKind::Tick5, None), Some((0, vec![PoolId(7)])));
        assert_eq!(bus.publish(EventKind::ProcessStateFatal, None), Some((1, vec![PoolId(7), PoolId(3)])));
        assert_eq!(bus.publish(EventKind::Tick60, None), Some((2, vec![PoolId(7), PoolId(4)])));
    }

    #[test]
    fn an_event_that_nobody_wants_uses_no_serial() {
        let mut bus = Bus::default();
        bus.subscribe(PoolId(1), &[EventKind::ProcessLogStderr]);
        assert!(!bus.wants(EventKind::ProcessLogStdout));
        assert_eq!(bus.publish(EventKind::ProcessLogStdout, None), None);
        assert_eq!(bus.publish(EventKind::ProcessLogStderr, None), Some((0, vec![PoolId(1)])));
        bus.unsubscribe(PoolId(1));
        assert_eq!(bus.publish(EventKind::ProcessLogStderr, None), None);
    }

    #[test]
    fn a_pool_that_is_not_to_be_told_takes_no_event_and_alone_uses_no_serial() {
        let mut bus = Bus::default();
        bus.subscribe(PoolId(1), &[EventKind::ProcessState]);
        assert_eq!(bus.publish(EventKind::ProcessStateRunning, Some(PoolId(1))), None);
        bus.subscribe(PoolId(2), &[EventKind::Event]);
        assert_eq!(bus.publish(EventKind::ProcessStateRunning, Some(PoolId(1))), Some((0, vec![PoolId(2)])));
        bus.advance_serial_to(7);
        bus.advance_serial_to(3);
        assert_eq!(bus.publish(EventKind::Tick5, None), Some((7, vec![PoolId(2)])));
    }

    #[test]
    fn a_second_subscription_replaces_the_first() {
        let mut bus = Bus::default();
        bus.subscribe(PoolId(1), &[EventKind::Tick]);
        bus.subscribe(PoolId(1), &[EventKind::ProcessGroup]);
        assert!(!bus.wants(EventKind::Tick5));
        assert_eq!(bus.publish(EventKind::ProcessGroupAdded, None), Some((0, vec![PoolId(1)])));
    }
}
