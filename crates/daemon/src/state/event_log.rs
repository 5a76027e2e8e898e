//! What happened lately, and who wants to hear of it as it happens: for people, beside the bus for listeners.
//!
//! It uses no serial and changes no event. Output, ticks and communications are told to those who watch them, and are
//! not kept.

use std::collections::VecDeque;
use std::rc::Rc;

use ironlance_core::event::kind::EventKind;
use ironlance_core::event::record::EventRecord;

use crate::view::stream::{EventStream, Publisher, stream};

/// So many happenings are kept.
const CAPACITY: usize = 200;
/// So much of a body is kept (bytes): what a client sends may be very long.
const STORED_BODY: usize = 4 * 1024;
/// So much of a body is told (bytes): output as the bus has it, and what clients send within reason.
pub(crate) const STREAMED_BODY: usize = 256 * 1024;

/// The last happenings, and who watches.
#[derive(Default)]
pub(crate) struct EventLog {
    number: u64,
    recent: VecDeque<Rc<EventRecord>>,
    subscribers: Vec<Subscriber>,
}

struct Subscriber {
    kinds: Vec<EventKind>,
    publisher: Publisher,
}

impl EventLog {
    /// Whether events of this type are kept, or somebody has subscribed to them; if not, no record need be made.
    pub(crate) fn is_wanted(&self, kind: EventKind) -> bool {
        kind.is_any_of(&EventKind::NOTABLE)
            || self.subscribers.iter().any(|subscriber| kind.is_any_of(&subscriber.kinds))
    }

    /// From now on the stream has what is of one of these types, or below them.
    pub(crate) fn subscribe(&mut self, kinds: Vec<EventKind>) -> EventStream {
        self.drop_closed();
        let (feed, happenings) = stream();
        self.subscribers.push(Subscriber { kinds, publisher: feed });
        happenings
    }

    /// What is kept, the newest first.
    pub(crate) fn recent(&self) -> impl Iterator<Item = Rc<EventRecord>> {
        self.recent.iter().rev().cloned()
    }

    /// Nothing more will happen: all streams end.
    pub(crate) fn close(&mut self) {
        self.subscribers = Vec::new();
    }

    pub(crate) fn add(&mut self, happening: EventRecord) {
        let kind = happening.event.kind();
        self.number += 1;
        let told = Rc::new(EventRecord { number: self.number, ..happening });
        if kind.is_any_of(&EventKind::NOTABLE) {
            if self.recent.len() == CAPACITY {
                self.recent.pop_front();
            }
            let short = told.event.shortened(STORED_BODY);
            let kept = short.map(|event| Rc::new(EventRecord { event, ..(*told).clone() }));
            self.recent.push_back(kept.unwrap_or_else(|| Rc::clone(&told)));
        }
        for watcher in self.subscribers.iter().filter(|watcher| kind.is_any_of(&watcher.kinds)) {
            watcher.publisher.send(&told);
        }
        self.drop_closed();
    }

    fn drop_closed(&mut self) {
        self.subscribers.retain(|watcher| watcher.publisher.is_read());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironlance_core::event::{Event, wire};

    use super::*;

    fn record(kind: EventKind) -> EventRecord {
        let body = "type:x\nprocessname:web groupname:shop pid:7 expected:0 when:5";
        let body = if kind == EventKind::RemoteCommunication { body } else { &body[7..] };
        of(wire::decode(kind, body).unwrap())
    }

    fn of(event: Event) -> EventRecord {
        EventRecord { number: 0, at: Duration::from_secs(9), event, why: None }
    }

    fn kept(chronicle: &EventLog) -> Vec<u64> {
        chronicle.recent().map(|happening| happening.number).collect()
    }

    #[test]
    fn the_last_two_hundred_are_kept_and_the_newest_comes_first() {
        let mut chronicle = EventLog::default();
        for _ in 0..250 {
            chronicle.add(record(EventKind::ProcessStateExited));
        }
        assert_eq!(kept(&chronicle), (51..=250).rev().collect::<Vec<_>>());
    }

    #[test]
    fn output_and_ticks_are_not_kept() {
        let mut chronicle = EventLog::default();
        for kind in [
            EventKind::ProcessLogStdout,
            EventKind::Tick5,
            EventKind::ProcessCommunicationStderr,
            EventKind::ProcessGroupAdded,
            EventKind::RemoteCommunication,
            EventKind::SupervisorStateChangeRunning,
        ] {
            chronicle.add(record(kind));
        }
        assert_eq!(kept(&chronicle), [6, 5, 4]);
    }

    #[test]
    fn a_long_body_is_told_in_full_and_kept_in_part() {
        let mut chronicle = EventLog::default();
        let stream = chronicle.subscribe(vec![EventKind::Event]);
        let body = "é".repeat(STORED_BODY);
        chronicle.add(of(Event::remote("", &body)));
        chronicle.close();
        let head = "type:\n".len();
        assert_eq!(chronicle.recent().next().unwrap().event.text(), "é".repeat((STORED_BODY - head) / 2));
        assert_eq!(read(stream)[0].event.text(), body);
    }

    fn read(mut stream: EventStream) -> Vec<Rc<EventRecord>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(happening) = stream.recv().await {
                all.push(happening);
            }
            all
        })
    }

    #[test]
    fn a_watcher_is_told_what_is_below_the_types_that_it_asked_for() {
        let mut chronicle = EventLog::default();
        chronicle.add(record(EventKind::ProcessStateStarting));
        let stream = chronicle.subscribe(vec![EventKind::ProcessState, EventKind::Tick60]);
        for kind in [EventKind::ProcessStateFatal, EventKind::Tick5, EventKind::Tick60] {
            chronicle.add(record(kind));
        }
        chronicle.close();
        let kinds: Vec<EventKind> = read(stream).iter().map(|happening| happening.event.kind()).collect();
        assert_eq!(kinds, [EventKind::ProcessStateFatal, EventKind::Tick60]);
    }

    #[test]
    fn who_has_gone_is_forgotten_at_the_next_happening() {
        let mut chronicle = EventLog::default();
        let stream = chronicle.subscribe(vec![EventKind::ProcessLog]);
        assert!(chronicle.is_wanted(EventKind::ProcessLogStdout));
        assert!(chronicle.is_wanted(EventKind::ProcessStateExited) && !chronicle.is_wanted(EventKind::Tick5));
        drop(stream);
        chronicle.add(record(EventKind::ProcessStateExited));
        assert!(!chronicle.is_wanted(EventKind::ProcessLogStdout));
    }

    #[test]
    fn a_slow_watcher_is_forgotten_and_the_others_go_on() {
        let mut chronicle = EventLog::default();
        let slow = chronicle.subscribe(vec![EventKind::Event]);
        let body = "x".repeat(STREAMED_BODY);
        for _ in 0..4 {
            chronicle.add(of(Event::remote("", &body)));
        }
        let other = chronicle.subscribe(vec![EventKind::Event]);
        chronicle.add(of(Event::remote("", &body)));
        assert!(slow.is_lost() && !other.is_lost());
        assert_eq!(chronicle.subscribers.len(), 1);
    }
}
