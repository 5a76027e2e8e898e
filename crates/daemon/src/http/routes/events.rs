//! `GET /events`: events as they happen, as server-sent events (WHATWG HTML, 9.2).

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ironlance_core::event::json::EventJson;
use ironlance_core::event::kind::EventKind;
use ironlance_core::event::record::EventRecord;
use ironlance_core::text::url_encoding;
use tokio::time::timeout;

use crate::http::error_response::ErrorResponse;
use crate::http::reply::Reply;
use crate::http::response_body::{NextPiece, StreamBody};
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

/// The types that a query such as `types=PROCESS_STATE,PROCESS_LOG` asks for, percent-decoded. Other fields are
/// ignored. The error names a type that does not exist.
fn requested_kinds(query: &str) -> Result<Vec<EventKind>, String> {
    let lists = query.split('&').filter_map(|pair| pair.strip_prefix("types="));
    let names = lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty());
    let mut kinds = Vec::new();
    for name in names {
        let kind = EventKind::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
            let shown: String = name.chars().take(MAX_SHOWN_CHARS).collect();
            format!("cannot watch {shown:?}: there is no such event type")
        })?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(if kinds.is_empty() { EventKind::NOTABLE.to_vec() } else { kinds })
}

impl Service {
    /// The response to `GET /events`.
    pub(in crate::http) async fn follow_events(&self, query: &str) -> Result<Reply, ErrorResponse> {
        let query = String::from_utf8(url_encoding::decode_lossy(query));
        let query = query.map_err(|_| ErrorResponse::QUERY_NOT_UTF8)?;
        let kinds = requested_kinds(&query).map_err(|error| ErrorResponse::unknown_event_type(&error))?;
        let events = self.owner.subscribe(kinds).await.ok_or(ErrorResponse::STOPPING)?;
        Ok(Reply::event_stream(Box::new(EventsBody::new(events))))
    }
}

/// The body of the response; it ends with the subscription.
struct EventsBody {
    subscription: EventStream,
    /// Sent first.
    greeting: Option<&'static [u8]>,
    is_ended: bool,
}

impl EventsBody {
    fn new(subscription: EventStream) -> Self {
        Self { subscription, greeting: Some(KEEP_ALIVE), is_ended: false }
    }

    /// The queued events after `first`, up to a chunk.
    fn gather(&mut self, first: Option<Rc<EventRecord>>, cx: &mut Context<'_>) -> String {
        let (mut text, mut next) = (String::new(), Poll::Ready(first));
        while let Poll::Ready(record) = next {
            let Some(record) = record else {
                self.is_ended = true;
                text.push_str(if self.subscription.is_lost() { LOST_EVENT } else { "" });
                break;
            };
            push_message(&mut text, &record);
            next = if text.len() < MAX_CHUNK { self.subscription.poll_recv(cx) } else { Poll::Pending };
        }
        text
    }
}

impl StreamBody for EventsBody {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            if let Some(greeting) = self.greeting.take() {
                return Some((greeting.into(), self as _));
            }
            if self.is_ended {
                return None;
            }
            let Ok(first) = timeout(KEEP_ALIVE_INTERVAL, self.subscription.recv()).await else {
                return Some((KEEP_ALIVE.into(), self as _));
            };
            let text = poll_fn(|cx| Poll::Ready(self.gather(first.clone(), cx))).await;
            (!text.is_empty()).then(|| (text.into(), self as _))
        })
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
    use ironlance_core::Namespec;
    use ironlance_core::event::{Event, OutputChannel, ProcessOutput};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tokio::time::Instant;

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

    async fn read(events: EventsBody) -> String {
        let (mut text, mut next) = (String::new(), Box::new(events).next());
        while let Some((bytes, rest)) = next.await {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            next = rest.next();
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
        let begin = Instant::now();
        let (bytes, rest) = Box::new(EventsBody::new(happenings)).next().await.unwrap();
        assert_eq!(bytes, KEEP_ALIVE);
        let (bytes, rest) = rest.next().await.unwrap();
        assert_eq!(bytes, KEEP_ALIVE);
        assert_eq!(begin.elapsed().as_secs(), 15);
        feed.send(&happening("", None));
        let (bytes, rest) = rest.next().await.unwrap();
        assert!(bytes.starts_with(b"id: 7\n"));
        assert_eq!(rest.next().await.unwrap().0, KEEP_ALIVE);
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
