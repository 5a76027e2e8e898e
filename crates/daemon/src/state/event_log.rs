//! The last events for people (pages, `/events`), beside the bus for listeners: [`EventLog`].
//!
//! It takes no serials and changes no event. Output, ticks and communications are streamed to subscribers, not stored.

use std::collections::VecDeque;
use std::rc::Rc;

use ironlance_core::event::kind::EventKind;

use ironlance_core::event::record::EventRecord;

/// How many events are stored.
const CAPACITY: usize = 200;
/// The most that is stored of a body (bytes): what a client sends may be very long.
const STORED_BODY: usize = 4 * 1024;
/// The most that is streamed of a body (bytes): output as the bus has it, and what clients send within reason.
pub(crate) const STREAMED_BODY: usize = 256 * 1024;

/// The last events, and the types that are to be streamed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventLog {
    number: u64,
    recent: VecDeque<Rc<EventRecord>>,
    subscribed: Vec<EventKind>,
}

impl EventLog {
    /// Whether records of this type are streamed.
    pub(crate) fn is_streamed(&self, kind: EventKind) -> bool {
        kind.is_any_of(&self.subscribed)
    }

    /// Whether a record of this type is used at all; if not, none need be made.
    pub(crate) fn is_wanted(&self, kind: EventKind) -> bool {
        kind.is_any_of(&EventKind::NOTABLE) || self.is_streamed(kind)
    }

    /// The types that subscribers want from now on.
    pub(crate) fn set_subscribed(&mut self, kinds: Vec<EventKind>) {
        self.subscribed = kinds;
    }

    /// What is stored, the newest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = Rc<EventRecord>> {
        self.recent.iter().rev().cloned()
    }

    /// Numbers a record and stores it, if its type is stored. Gives it back for the subscribers.
    pub(crate) fn add(&mut self, record: EventRecord) -> Rc<EventRecord> {
        self.number += 1;
        let record = Rc::new(EventRecord { number: self.number, ..record });
        if record.event.kind().is_any_of(&EventKind::NOTABLE) {
            if self.recent.len() == CAPACITY {
                self.recent.pop_front();
            }
            let short = record.event.shortened(STORED_BODY);
            let short = short.map(|event| Rc::new(EventRecord { event, ..(*record).clone() }));
            self.recent.push_back(short.unwrap_or_else(|| Rc::clone(&record)));
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironlance_core::event::{Event, wire};

    use super::*;

    fn of(event: Event) -> EventRecord {
        EventRecord { number: 0, at: Duration::from_secs(9), event, why: None }
    }

    fn record(kind: EventKind) -> EventRecord {
        let body = "type:x\nprocessname:web groupname:shop pid:7 expected:0 when:5";
        let body = if kind == EventKind::RemoteCommunication { body } else { &body[7..] };
        of(wire::decode(kind, body).unwrap())
    }

    fn numbers(log: &EventLog) -> Vec<u64> {
        log.recent().map(|record| record.number).collect()
    }

    #[test]
    fn the_last_two_hundred_are_stored_and_the_newest_comes_first() {
        let mut log = EventLog::default();
        for _ in 0..250 {
            log.add(record(EventKind::ProcessStateExited));
        }
        assert_eq!(numbers(&log), (51..=250).rev().collect::<Vec<_>>());
    }

    #[test]
    fn output_and_ticks_are_not_stored() {
        let mut log = EventLog::default();
        for kind in [
            EventKind::ProcessLogStdout,
            EventKind::Tick5,
            EventKind::ProcessCommunicationStderr,
            EventKind::ProcessGroupAdded,
            EventKind::RemoteCommunication,
            EventKind::SupervisorStateChangeRunning,
        ] {
            log.add(record(kind));
        }
        assert_eq!(numbers(&log), [6, 5, 4]);
    }

    #[test]
    fn a_long_body_is_streamed_in_full_and_stored_in_part() {
        let mut log = EventLog::default();
        let body = "é".repeat(STORED_BODY);
        let streamed = log.add(of(Event::remote("", &body)));
        let head = "type:\n".len();
        assert_eq!(log.recent().next().unwrap().event.text(), "é".repeat((STORED_BODY - head) / 2));
        assert_eq!(streamed.event.text(), body);
    }

    #[test]
    fn only_what_is_stored_or_subscribed_to_is_wanted() {
        let mut log = EventLog::default();
        assert!(log.is_wanted(EventKind::ProcessStateFatal) && !log.is_wanted(EventKind::Tick60));
        log.set_subscribed(vec![EventKind::Tick]);
        assert!(log.is_wanted(EventKind::Tick60) && !log.is_streamed(EventKind::ProcessStateFatal));
    }
}
