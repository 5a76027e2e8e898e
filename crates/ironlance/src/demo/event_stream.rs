//! Reads the event stream of the demo's supervisord in a thread: [`watch`] passes on each event.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use ironlance_core::event::json::EventJson;

/// HTTP/1.0, so that the answer is a plain stream. docs/events.md, "Live stream".
const REQUEST: &[u8] = b"GET /events?types=PROCESS_STATE HTTP/1.0\r\nHost: localhost\r\n\r\n";
/// The prefix of the line with the event.
const DATA: &str = "data:";

/// Watches the supervisord at the other end of a connection to its socket, and calls `tell` for each event, and with `None`
/// when the stream has ended, as it does when supervisord exits.
pub(super) fn watch(
    mut stream: UnixStream,
    tell: impl Fn(Option<EventJson<'static>>) + Send + 'static,
) -> io::Result<()> {
    stream.write_all(REQUEST)?;
    let watcher = move || {
        // A broken connection counts as the end.
        let _ = read(BufReader::new(stream), &|event| tell(Some(event)));
        tell(None);
    };
    thread::Builder::new().name("watcher".into()).spawn(watcher).map(drop)
}

fn read(input: impl BufRead, tell: &impl Fn(EventJson<'static>)) -> io::Result<()> {
    for line in input.lines() {
        if let Some(event) = line?.strip_prefix(DATA).and_then(|data| serde_json::from_str(data).ok()) {
            tell(event);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn events_are_read_out_of_the_stream_and_the_rest_is_passed_over() {
        let stream = "HTTP/1.0 200 OK\r\n\r\n:\n\nid: 7\nevent: PROCESS_STATE_EXITED\n\
            data: {\"number\":7,\"at\":1.5,\"event\":\"PROCESS_STATE_EXITED\",\"group\":\"g\",\"process\":\"p\",\
            \"why\":\"exit status 3\",\"body\":\"x\"}\n\ndata: nonsense\n\n";
        let found = RefCell::new(Vec::new());
        read(stream.as_bytes(), &|event| found.borrow_mut().push(event)).unwrap();
        let [event] = &found.into_inner()[..] else { panic!("not one event") };
        assert_eq!((event.process.as_deref(), event.why.as_deref()), (Some("p"), Some("exit status 3")));
    }
}
