//! Logs that are followed, over supervisord's own pages: their bytes go to stdout as they come.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use ironlance_net::{HttpRequest, HttpResponse, StreamEnd, stream};
use ironlance_rpc::Client;

use crate::interrupt::Follower;
use crate::session::Session;
use crate::trouble::Trouble;

/// The status of a page that is there.
const OK: u16 = 200;

/// A log that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page<'n> {
    /// Of a process.
    Log {
        /// The process, as supervisord's methods take it.
        name: &'n str,
        /// `stdout` or `stderr`.
        channel: &'n str,
    },
    /// Supervisord's own.
    MainLog,
}

impl Page<'_> {
    /// Its path, as it is shown.
    fn path(&self) -> String {
        match self {
            Self::Log { name, channel } => format!("/logtail/{name}/{channel}"),
            Self::MainLog => "/mainlogtail".to_owned(),
        }
    }
}

/// A path as it may stand in a request: what is neither a letter, a digit nor one of RFC 3986's harmless signs is
/// escaped.
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

/// Follows a page until it ends or ^C comes, of which the latter leaves its line.
pub(crate) fn tail(session: &mut Session, page: &Page<'_>) -> Result<(), Trouble> {
    session.say("==> Press Ctrl-C to exit <==");
    session.flush();
    let machine = |reason| Trouble::Machine { what: "watch for ^C", reason };
    let catch = session.interrupts.catch().map_err(machine)?;
    let view = View::of(&session.supervisor()?, &session.options.serverurl, page);
    if view.copy(catch.socket().map_err(machine)?) == End::Stopped {
        session.say("");
    }
    Ok(())
}

/// How following ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The server ended it, or was not there.
    Server,
    /// We did.
    Stopped,
    /// Nobody reads our stdout any more.
    Unread,
}

/// One page of one server.
struct View {
    request: HttpRequest,
    /// What it is called on stderr.
    url: String,
}

impl View {
    fn of(supervisor: &Client, serverurl: &str, page: &Page<'_>) -> Self {
        let path = page.path();
        Self { request: supervisor.get_request(escape(&path)), url: format!("{serverurl}{path}") }
    }

    /// Copies the page to stdout until it ends or `stop` says so. What is wrong goes to stderr; a connection that
    /// breaks later on is an end like any other.
    fn copy(&self, stop: UnixStream) -> End {
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
            let flow = show(piece);
            is_unread = flow.is_break();
            flow
        };
        match stream(&self.request, stop, &mut on_head, &mut on_body) {
            Ok(StreamEnd::Stopped) => End::Stopped,
            Ok(StreamEnd::Ended(_)) if is_unread => End::Unread,
            Ok(StreamEnd::Ended(_)) => End::Server,
            Err(error) => {
                if !has_head {
                    self.complain(&format!("Cannot connect, error: {error}"));
                }
                End::Server
            }
        }
    }

    fn complain(&self, what: &str) {
        // A stderr that is gone leaves nobody to complain to.
        let _ = writeln!(io::stderr(), "{} {what}", self.url);
    }
}

fn show(piece: &[u8]) -> ControlFlow<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(piece).and_then(|()| stdout.flush()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Pages that are followed beside what else happens.
pub(crate) struct Followers {
    hands: Vec<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Followers {
    /// Begins to follow `pages`; `caller` is told when nobody reads what they say.
    pub(crate) fn start(
        supervisor: &Client,
        serverurl: &str,
        pages: &[Page<'_>],
        caller: &Follower,
    ) -> Result<Self, Trouble> {
        let machine = |reason| Trouble::Machine { what: "follow a log", reason };
        let mut followers = Self { hands: Vec::new(), threads: Vec::new() };
        for page in pages {
            let view = View::of(supervisor, serverurl, page);
            let (hand, stop) = UnixStream::pair().map_err(machine)?;
            let caller = caller.clone();
            let follow = move || {
                if view.copy(stop) == End::Unread {
                    caller.tell();
                }
            };
            let thread = thread::Builder::new().name("log".to_owned()).spawn(follow).map_err(machine)?;
            followers.hands.push(hand);
            followers.threads.push(thread);
        }
        Ok(followers)
    }

    /// Ends it: nothing is written afterwards.
    pub(crate) fn stop(self) {
        drop(self.hands);
        for thread in self.threads {
            // A follower that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_carries_any_name() {
        let path = |name| escape(&Page::Log { name, channel: "stdout" }.path());
        assert_eq!(path("shop:web_1"), "/logtail/shop:web_1/stdout");
        assert_eq!(path("é %?#"), "/logtail/%C3%A9%20%25%3F%23/stdout");
        assert_eq!(Page::MainLog.path(), "/mainlogtail");
    }
}
