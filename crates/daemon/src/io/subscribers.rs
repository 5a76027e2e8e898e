//! Streams of events to clients (`/events`, live pages): [`Subscribers`].

use std::rc::Rc;

use ironlance_core::event::kind::EventKind;

use crate::view::stream::{EventStream, Publisher, stream};
use ironlance_core::event::record::EventRecord;

/// All clients that have subscribed to events.
#[derive(Default)]
pub(crate) struct Subscribers(Vec<Subscriber>);

struct Subscriber {
    kinds: Vec<EventKind>,
    publisher: Publisher,
}

impl Subscribers {
    /// A stream of events of these types, and of all below them, from now on.
    pub(crate) fn add(&mut self, kinds: Vec<EventKind>) -> EventStream {
        let (publisher, stream) = stream();
        self.0.push(Subscriber { kinds, publisher });
        stream
    }

    /// Sends a record to the subscribers of its type. One that is too far behind loses its stream.
    pub(crate) fn publish(&self, record: &Rc<EventRecord>) {
        let kind = record.event.kind();
        for subscriber in self.0.iter().filter(|subscriber| kind.is_any_of(&subscriber.kinds)) {
            subscriber.publisher.send(record);
        }
    }

    /// Forgets streams that are read no more. Gives the types that the others want, if there were any such streams.
    pub(crate) fn drop_closed(&mut self) -> Option<Vec<EventKind>> {
        let before = self.0.len();
        self.0.retain(|subscriber| subscriber.publisher.is_read());
        (self.0.len() < before).then(|| self.kinds())
    }

    /// All types that are wanted.
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.0.iter().flat_map(|subscriber| subscriber.kinds.iter().copied()).collect()
    }

    /// All streams end.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironlance_core::event::Event;

    use super::*;

    fn record(event: Event) -> Rc<EventRecord> {
        Rc::new(EventRecord { number: 0, at: Duration::from_secs(9), event, why: None })
    }

    fn read(mut stream: EventStream) -> Vec<EventKind> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(record) = stream.recv().await {
                all.push(record.event.kind());
            }
            all
        })
    }

    #[test]
    fn a_subscriber_gets_what_is_below_the_types_that_it_asked_for() {
        let mut subscribers = Subscribers::default();
        let tick = |seconds| record(Event::Tick { seconds, when: 0 });
        subscribers.publish(&tick(60));
        let stream = subscribers.add(vec![EventKind::SupervisorStateChange, EventKind::Tick60]);
        for record in [record(Event::SupervisorRunning), tick(5), tick(60)] {
            subscribers.publish(&record);
        }
        subscribers.close();
        assert_eq!(read(stream), [EventKind::SupervisorStateChangeRunning, EventKind::Tick60]);
    }

    #[test]
    fn the_types_of_a_stream_that_is_closed_are_wanted_no_more() {
        let mut subscribers = Subscribers::default();
        let (one, two) = (EventKind::ProcessLog, EventKind::Tick);
        let (stream, _other) = (subscribers.add(vec![one]), subscribers.add(vec![two]));
        assert_eq!((subscribers.drop_closed(), subscribers.kinds()), (None, vec![one, two]));
        drop(stream);
        assert_eq!(subscribers.drop_closed(), Some(vec![two]));
    }

    #[test]
    fn a_slow_subscriber_loses_its_stream_and_the_others_go_on() {
        let mut subscribers = Subscribers::default();
        let slow = subscribers.add(vec![EventKind::Event]);
        let body = "x".repeat(256 * 1024);
        (0..5).for_each(|_| subscribers.publish(&record(Event::remote("", &body))));
        let other = subscribers.add(vec![EventKind::Event]);
        subscribers.publish(&record(Event::remote("", &body)));
        assert!(slow.is_lost() && !other.is_lost());
        subscribers.drop_closed();
        assert_eq!(subscribers.kinds(), [EventKind::Event]);
    }
}
