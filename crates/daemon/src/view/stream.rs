//! Events on their way from the owner to a subscriber: [`EventStream`]. A reader that is too slow loses the stream, and
//! does not hold up the owner.
//!
//! The queues share their records: all readers together take hardly more memory than the slowest of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ironlance_core::event::record::EventRecord;

/// How many events may wait for their reader: all programs of a large installation, stopped and started at once.
pub const MOST_WAITING: usize = 4096;
/// How much memory their texts may take while they wait (bytes), unless one alone takes more.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Makes a stream: the end that is fed and the end that is read.
pub(crate) fn stream() -> (Publisher, EventStream) {
    let shared = Rc::new(RefCell::new(Shared::default()));
    (Publisher(Rc::clone(&shared)), EventStream(shared))
}

/// The owner's end of a stream; the reader sees its end when it is dropped.
pub(crate) struct Publisher(Rc<RefCell<Shared>>);

/// The reader's end of a stream.
#[derive(Debug)]
pub struct EventStream(Rc<RefCell<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    queued: VecDeque<Rc<EventRecord>>,
    bytes: usize,
    state: StreamState,
    reader: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum StreamState {
    #[default]
    Open,
    /// Nothing more comes: the daemon ends.
    Over,
    /// The reader was too slow.
    Lost,
}

impl Shared {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Publisher {
    /// Whether the stream is still read.
    pub(crate) fn is_read(&self) -> bool {
        Rc::strong_count(&self.0) > 1 && self.0.borrow().state == StreamState::Open
    }

    /// Queues an event for the reader. One that has not kept up loses the queue and the stream.
    pub(crate) fn send(&self, record: &Rc<EventRecord>) {
        let shared = &mut *self.0.borrow_mut();
        let size = record.event.heap_bytes();
        let full = shared.queued.len() >= MOST_WAITING
            || (!shared.queued.is_empty() && shared.bytes + size > MOST_BYTES);
        if full {
            shared.queued = VecDeque::new();
            shared.state = StreamState::Lost;
        } else {
            shared.bytes += size;
            shared.queued.push_back(Rc::clone(record));
        }
        shared.wake();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let shared = &mut *self.0.borrow_mut();
        if shared.state == StreamState::Open {
            shared.state = StreamState::Over;
        }
        shared.wake();
    }
}

impl EventStream {
    /// Waits for the next event; nothing when the stream has ended.
    pub async fn recv(&mut self) -> Option<Rc<EventRecord>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The same as a poll function.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Rc<EventRecord>>> {
        let shared = &mut *self.0.borrow_mut();
        if let Some(record) = shared.queued.pop_front() {
            shared.bytes -= record.event.heap_bytes();
            return Poll::Ready(Some(record));
        }
        if shared.state != StreamState::Open {
            return Poll::Ready(None);
        }
        // A burst is over: its room is given back.
        shared.queued = VecDeque::new();
        shared.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the stream has ended because its reader was too slow.
    pub fn is_lost(&self) -> bool {
        self.0.borrow().state == StreamState::Lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ironlance_core::event::Event;

    use super::*;

    fn record(number: u64, body: &str) -> Rc<EventRecord> {
        let (at, event) = (Duration::from_secs(1), Event::remote("", body));
        Rc::new(EventRecord { number, at, event, why: None })
    }

    async fn numbers(mut stream: EventStream) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some(record) = stream.recv().await {
            numbers.push(record.number);
        }
        numbers
    }

    #[tokio::test]
    async fn what_was_sent_before_the_end_is_read_before_the_end() {
        let (feed, stream) = stream();
        feed.send(&record(1, "a"));
        feed.send(&record(2, "b"));
        drop(feed);
        assert!(!stream.is_lost());
        assert_eq!(numbers(stream).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken() {
        let (feed, mut stream) = stream();
        let (read, ()) = tokio::join!(stream.recv(), async {
            tokio::task::yield_now().await;
            feed.send(&record(7, ""));
        });
        assert_eq!(read.unwrap().number, 7);
        let (read, ()) = tokio::join!(stream.recv(), async {
            tokio::task::yield_now().await;
            drop(feed);
        });
        assert_eq!(read, None);
    }

    #[tokio::test]
    async fn who_is_too_slow_loses_the_stream_and_what_waits_takes_no_room() {
        let (feed, mut stream) = stream();
        for number in 0..MOST_WAITING as u64 {
            feed.send(&record(number, ""));
        }
        assert!(feed.is_read() && !stream.is_lost());
        let last = record(0, "");
        feed.send(&last);
        assert!(!feed.is_read() && stream.is_lost());
        assert_eq!(Rc::strong_count(&last), 1);
        assert_eq!(stream.recv().await, None);
    }

    #[tokio::test]
    async fn long_bodies_count_by_their_length_but_one_alone_is_always_taken() {
        let (feed, mut stream) = stream();
        feed.send(&record(1, &"x".repeat(MOST_BYTES + 1)));
        assert!(!stream.is_lost());
        assert_eq!(stream.recv().await.unwrap().number, 1);
        feed.send(&record(2, &"x".repeat(MOST_BYTES)));
        assert!(!stream.is_lost());
        feed.send(&record(3, "x"));
        assert!(stream.is_lost());
    }

    #[test]
    fn the_type_of_a_message_counts_as_its_text_does() {
        let (feed, stream) = stream();
        for number in 0..5 {
            let event = Event::remote(&"x".repeat(MOST_BYTES / 4), "");
            feed.send(&Rc::new(EventRecord { number, at: Duration::from_secs(1), event, why: None }));
        }
        assert!(stream.is_lost());
    }

    #[test]
    fn a_feed_knows_that_nobody_reads_any_more() {
        let (feed, stream) = stream();
        assert!(feed.is_read());
        drop(stream);
        assert!(!feed.is_read());
    }
}
