//! Following logs over supervisord's `/logtail` pages: [`follow`] in the foreground, [`BackgroundFollowers`] beside `fg`.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use ironlance_net::{HttpRequest, HttpResponse, StreamEnd, stream};
use ironlance_rpc::Client;

use crate::error::CtlError;
use crate::session::Session;
use crate::terminal::interrupt::InterruptTarget;

/// The status of an existing page.
const OK: u16 = 200;

/// The page of supervisord's own log.
pub(crate) const MAIN_LOG: &str = "/mainlogtail";

/// The page of a process's log, not escaped; `channel` is `stdout` or `stderr`.
pub(crate) fn log_page(name: &str, channel: &str) -> String {
    format!("/logtail/{name}/{channel}")
}

/// Percent-encodes a URL path: all but letters, digits and RFC 3986's unreserved and path characters.
fn escape(path: &str) -> String {
    path.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"/:*-._~!$&'()+,;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

/// Follows the log of a page until it ends or ^C; after ^C, a newline ends the terminal's line.
pub(crate) fn follow(session: &mut Session, page: &str) -> Result<(), CtlError> {
    session.print("==> Press Ctrl-C to exit <==");
    session.flush();
    let (_guard, stop) = session.catch_interrupts()?;
    let view = LogStream::new(&session.client()?, &session.options.serverurl, page);
    if view.copy(stop) == FollowEnd::Stopped {
        session.print("");
    }
    Ok(())
}

/// How following a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FollowEnd {
    /// The server ended it, or was not reached.
    Server,
    /// Stopped from this side.
    Stopped,
    /// Our stdout was closed.
    OutputClosed,
}

/// The stream of one log of one server.
struct LogStream {
    request: HttpRequest,
    /// The URL in error messages.
    url: String,
}

impl LogStream {
    fn new(client: &Client, serverurl: &str, page: &str) -> Self {
        Self { request: client.get_request(escape(page)), url: format!("{serverurl}{page}") }
    }

    /// Copies the log to stdout until it ends or `stop` becomes readable. Errors go to stderr; a connection that breaks
    /// later counts as a normal end.
    fn copy(&self, stop: UnixStream) -> FollowEnd {
        let mut has_head = false;
        let mut on_head = |head: &HttpResponse| {
            has_head = true;
            if head.status == OK {
                return ControlFlow::Continue(());
            }
            self.complain(&format!("Cannot read, status code {}", head.status));
            ControlFlow::Break(())
        };
        let mut is_unread = false;
        let mut on_body = |piece: &[u8]| {
            let flow = write_to_stdout(piece);
            is_unread = flow.is_break();
            flow
        };
        match stream(&self.request, stop, &mut on_head, &mut on_body) {
            Ok(StreamEnd::Stopped) => FollowEnd::Stopped,
            Ok(StreamEnd::Ended(_)) if is_unread => FollowEnd::OutputClosed,
            Ok(StreamEnd::Ended(_)) => FollowEnd::Server,
            Err(error) => {
                if !has_head {
                    self.complain(&format!("Cannot connect, error: {error}"));
                }
                FollowEnd::Server
            }
        }
    }

    fn complain(&self, what: &str) {
        // A closed stderr cannot be reported anywhere.
        let _ = writeln!(io::stderr(), "{} {what}", self.url);
    }
}

fn write_to_stdout(piece: &[u8]) -> ControlFlow<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(piece).and_then(|()| stdout.flush()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Logs that are followed by threads in the background.
pub(crate) struct BackgroundFollowers {
    stoppers: Vec<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl BackgroundFollowers {
    /// Starts to follow `pages`; notifies `caller` when stdout is closed.
    pub(crate) fn start(
        client: &Client,
        serverurl: &str,
        pages: &[String],
        caller: &InterruptTarget,
    ) -> Result<Self, CtlError> {
        let machine = |reason| CtlError::System { what: "follow a log", reason };
        let mut followers = Self { stoppers: Vec::new(), threads: Vec::new() };
        for page in pages {
            let view = LogStream::new(client, serverurl, page);
            let (stopper, stop) = UnixStream::pair().map_err(machine)?;
            let caller = caller.clone();
            let follow = move || {
                if view.copy(stop) == FollowEnd::OutputClosed {
                    caller.notify();
                }
            };
            let thread = thread::Builder::new().name("log".to_owned()).spawn(follow).map_err(machine)?;
            followers.stoppers.push(stopper);
            followers.threads.push(thread);
        }
        Ok(followers)
    }

    /// Stops following; nothing is written afterwards.
    pub(crate) fn stop(self) {
        drop(self.stoppers);
        for thread in self.threads {
            // The panic of a thread was reported already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_carries_any_name() {
        let path = |name| escape(&log_page(name, "stdout"));
        assert_eq!(path("shop:web_1"), "/logtail/shop:web_1/stdout");
        assert_eq!(path("é %?#"), "/logtail/%C3%A9%20%25%3F%23/stdout");
    }
}
