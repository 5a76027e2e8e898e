//! `GET /events`: events as they happen, as server-sent events (WHATWG HTML, 9.2).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request};
use ironlance_core::event::json::EventJson;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::record::EventRecord;
use ironlance_core::text::url_encoding;
use tokio::time::{Instant, Sleep, sleep};

use crate::http::error_response::ErrorResponse;
use crate::http::reply::Reply;
use crate::http::response_body::{Content, StreamBody};
use crate::http::service::Service;
use crate::view::stream::EventStream;

/// A comment, which shows the client and proxies that the connection is alive.
const KEEP_ALIVE: &[u8] = b":\n\n";
/// How long nothing is sent before a keep-alive.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Sent at the end to a client that was too slow.
const LOST_EVENT: &str = "event: lost\ndata: {}\n\n";
/// Approximate size of a chunk in bytes.
const MAX_CHUNK: usize = 64 * 1024;
/// At most this much of an unknown type is shown, in characters.
const MAX_SHOWN_CHARS: usize = 80;

/// A client asks for an event type that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot watch {0:?}: there is no such event type")]
struct UnknownEventType(String);

/// The types that a query such as `types=PROCESS_STATE,PROCESS_LOG` asks for, percent-decoded. Other fields are
/// ignored.
fn requested_kinds(query: &str) -> Result<Vec<EventKind>, UnknownEventType> {
    let lists = query.split('&').filter_map(|pair| pair.strip_prefix("types="));
    let names = lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let mut kinds = Vec::new();
    for name in names {
        let known = EventKind::from_name(&name.to_ascii_uppercase());
        let kind = known.ok_or_else(|| UnknownEventType(name.chars().take(MAX_SHOWN_CHARS).collect()))?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(if kinds.is_empty() { EventKind::NOTABLE.to_vec() } else { kinds })
}

impl Service {
    /// The response to `GET /events`; HEAD gets no stream.
    pub(in crate::http) async fn follow_events(&self, request: &Request<Incoming>) -> Reply {
        let query = url_encoding::decode_lossy(request.uri().query().unwrap_or_default());
        let Ok(query) = String::from_utf8(query) else {
            return Reply::error(&ErrorResponse::QueryNotUtf8);
        };
        let kinds = match requested_kinds(&query) {
            Ok(kinds) => kinds,
            Err(unknown) => return Reply::error(&ErrorResponse::UnknownEventType(unknown.to_string())),
        };
        if request.method() == Method::HEAD {
            return Reply::event_stream(Content::Whole(Bytes::new()));
        }
        match self.owner.subscribe(kinds).await {
            Some(events) => Reply::event_stream(Content::Stream(Box::new(EventsBody::new(events)))),
            None => Reply::error(&ErrorResponse::Stopping),
        }
    }
}

/// The body of the response; it ends with the subscription.
struct EventsBody {
    subscription: EventStream,
    /// When the next keep-alive is due.
    keep_alive: Pin<Box<Sleep>>,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing has been sent yet.
    Starting,
    Running,
    Ended,
}

impl EventsBody {
    fn new(subscription: EventStream) -> Self {
        Self { subscription, keep_alive: Box::pin(sleep(KEEP_ALIVE_INTERVAL)), progress: Progress::Starting }
    }

    /// The queued events, up to a chunk.
    fn gather(&mut self, cx: &mut Context<'_>) -> String {
        let mut text = String::new();
        while text.len() < MAX_CHUNK {
            match self.subscription.poll_recv(cx) {
                Poll::Ready(Some(happening)) => push_message(&mut text, &happening),
                Poll::Ready(None) => {
                    self.progress = Progress::Ended;
                    text.push_str(if self.subscription.is_lost() { LOST_EVENT } else { "" });
                    break;
                }
                Poll::Pending => break,
            }
        }
        text
    }
}

impl StreamBody for EventsBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.progress {
            Progress::Starting => {
                self.progress = Progress::Running;
                return Poll::Ready(Some(Bytes::from_static(KEEP_ALIVE)));
            }
            Progress::Running => {}
            Progress::Ended => return Poll::Ready(None),
        }
        let text = self.gather(cx);
        if text.is_empty() {
            if self.progress == Progress::Ended {
                return Poll::Ready(None);
            }
            ready!(self.keep_alive.as_mut().poll(cx));
        }
        self.keep_alive.as_mut().reset(Instant::now() + KEEP_ALIVE_INTERVAL);
        let bytes = if text.is_empty() { Bytes::from_static(KEEP_ALIVE) } else { text.into() };
        Poll::Ready(Some(bytes))
    }
}

fn push_message(text: &mut String, record: &EventRecord) {
    // Serialisation cannot fail: there are no maps and no special floats.
    let json = serde_json::to_string(&EventJson::from(record)).unwrap_or_default();
    let (number, event) = (record.number, record.event.kind());
    text.push_str(&format!("id: {number}\nevent: {event}\ndata: {json}\n\n"));
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;

    use ironlance_core::Namespec;
    use ironlance_core::event::{Event, OutputChannel, ProcessOutput};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::view::stream::{MOST_WAITING, stream};

    const HEAD: &str = "processname:web groupname:shop pid:7 channel:stdout\n";

    fn happening(body: &str, why: Option<&str>) -> Rc<EventRecord> {
        let process = Rc::new(Namespec::new("shop", "web"));
        Rc::new(EventRecord {
            number: 7,
            at: Duration::from_micros(1_764_000_000_250_900),
            event: Event::Log(OutputChannel::Stdout, ProcessOutput::new(&process, 7, body.as_bytes())),
            why: why.map(Into::into),
        })
    }

    async fn read(mut events: EventsBody) -> String {
        let mut text = String::new();
        while let Some(bytes) = poll_fn(|cx| events.poll_next(cx)).await {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        text
    }

    #[test]
    fn types_are_named_as_in_the_configuration_and_nothing_means_the_usual() {
        for query in ["", "types=", "types=,", "other=1", "&&"] {
            assert_eq!(requested_kinds(query), Ok(EventKind::NOTABLE.to_vec()), "{query}");
        }
        let both = vec![EventKind::Tick5, EventKind::ProcessLog];
        assert_eq!(requested_kinds("a=b&types=TICK_5,process_log,TICK_5"), Ok(both));
        let no = requested_kinds("types=TICK,CPU").unwrap_err();
        assert_eq!(no.to_string(), "cannot watch \"CPU\": there is no such event type");
        assert!(requested_kinds(&format!("types={}", "x".repeat(9000))).unwrap_err().to_string().len() < 200);
    }

    #[tokio::test]
    async fn a_message_says_who_and_why_and_is_one_line_of_json() {
        let (feed, happenings) = stream();
        feed.send(&happening("a\n\"b\"", Some("exit status 1")));
        feed.send(&happening("", None));
        drop(feed);
        let text = read(EventsBody::new(happenings)).await;
        let messages: Vec<&str> = text.split_terminator("\n\n").collect();
        assert_eq!(messages[0], ":");
        assert_eq!(
            messages[1],
            "id: 7\nevent: PROCESS_LOG_STDOUT\ndata: {\"number\":7,\"at\":1764000000.25,\
             \"event\":\"PROCESS_LOG_STDOUT\",\"group\":\"shop\",\"process\":\"web\",\
             \"why\":\"exit status 1\",\
             \"body\":\"processname:web groupname:shop pid:7 channel:stdout\\na\\n\\\"b\\\"\"}"
        );
        assert!(!messages[2].contains("why"));
        assert_eq!(messages.len(), 3);
    }

    #[test]
    fn what_is_about_no_process_names_none() {
        let record = EventRecord { event: Event::SupervisorRunning, ..(*happening("", None)).clone() };
        let json = serde_json::to_value(EventJson::from(&record)).unwrap();
        let event = "SUPERVISOR_STATE_CHANGE_RUNNING";
        let expected = json!({"number": 7, "at": 1_764_000_000.25, "event": event, "body": ""});
        assert_eq!(json, expected);
    }

    #[tokio::test]
    async fn a_slow_client_is_told_that_it_lost_the_stream() {
        let (feed, happenings) = stream();
        for _ in 0..=MOST_WAITING {
            feed.send(&happening("", None));
        }
        assert_eq!(read(EventsBody::new(happenings)).await, ":\n\nevent: lost\ndata: {}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_silence_there_is_a_sign_of_life() {
        let (feed, happenings) = stream();
        let mut events = EventsBody::new(happenings);
        let mut more = async || poll_fn(|cx| events.poll_next(cx)).await;
        let begin = Instant::now();
        assert_eq!(more().await.unwrap(), KEEP_ALIVE);
        assert_eq!(more().await.unwrap(), KEEP_ALIVE);
        assert_eq!(begin.elapsed().as_secs(), 15);
        feed.send(&happening("", None));
        assert!(more().await.unwrap().starts_with(b"id: 7\n"));
        assert_eq!(more().await.unwrap(), KEEP_ALIVE);
        assert_eq!(begin.elapsed().as_secs(), 30);
    }

    proptest! {
        #[test]
        fn any_body_is_one_line_and_reads_back(body in ".*", why in proptest::option::of(".*")) {
            let (mut text, whole) = (String::new(), format!("{HEAD}{body}"));
            push_message(&mut text, &happening(&body, why.as_deref()));
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert_eq!(lines.len(), 5);
            let json: Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
            prop_assert_eq!(json["body"].as_str(), Some(whole.as_str()));
            prop_assert_eq!(json["why"].as_str(), why.as_deref());
        }

        #[test]
        fn no_query_is_too_odd(query in ".*") {
            let _ = requested_kinds(&query);
        }
    }
}
