//! A page that is asked: an [`HttpCheck`] sends one request and returns an [`HttpReading`]. Callers: httpok and the probe.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ironlance_core::redact::redact_url;
use ironlance_core::text::url_encoding;
use ironlance_net::dial::dial;
use ironlance_net::http::exchange::{build_request, exchange_over};
use ironlance_net::{
    DialError, Endpoint, ExchangeError, HostPort, HostPortError, HttpRequest, Tls, exchange, split_userinfo,
};
use thiserror::Error;

/// The delay before a refused connection is first tried again; it doubles up to the maximum.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The maximum of this delay.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The most of a body that [`HttpCheck::ask`] reads, in bytes.
const MAX_BODY: usize = 4 << 20;

/// The URL of a page, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageUrl {
    /// Where to connect to.
    pub peer: Endpoint,
    /// Whether the page is behind TLS.
    pub secure: bool,
    /// The value of the Host header.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// `user:password` of the URL, percent signs decoded.
    pub user_info: Option<String>,
}

/// An URL that names no page.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PageUrlError {
    /// The scheme is none of http, https and unix; the original's words.
    #[error("Bad scheme {0}")]
    Scheme(String),
    /// Something in it is missing or out of range.
    #[error("cannot read the URL {url:?}: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl PageUrl {
    /// Reads `http://…`, `https://…`, and `unix:/path/of/socket:/path/of/page`.
    pub fn parse(url: &str) -> Result<Self, PageUrlError> {
        let fault = |reason| PageUrlError::Url { url: redact_url(url), reason };
        let (scheme, rest) = url.split_once(':').ok_or_else(|| PageUrlError::Scheme(String::new()))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            "unix" => return Self::unix(rest).ok_or_else(|| fault("no path of a socket")),
            _ => return Err(PageUrlError::Scheme(scheme.to_owned())),
        };
        let rest = rest.strip_prefix("//").ok_or_else(|| fault("no // after the scheme"))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user_info, host_port) = split_userinfo(authority);
        let user_info =
            user_info.map(|text| String::from_utf8_lossy(&url_encoding::decode_lossy(text)).into_owned());
        let HostPort { host, port } = HostPort::of_url(host_port).map_err(|error| match error {
            HostPortError::NoHost => fault("no host"),
            HostPortError::OpenBracket | HostPortError::AfterBracket => fault(error.reason()),
            HostPortError::Port => fault("the port is no number from 1 to 65535"),
        })?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        // An empty query is dropped, as Python's urlsplit does.
        let path = match path.split_once('?') {
            Some((path, "")) => request_path(path),
            _ => request_path(path),
        };
        let peer = Endpoint::Tcp { host: host.to_owned(), port };
        Ok(Self { peer, secure, host: host_port.to_owned(), path, user_info })
    }

    fn unix(rest: &str) -> Option<Self> {
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (socket, path) = rest.split_once(':').unwrap_or((rest, "/"));
        let path = request_path(path);
        socket.starts_with('/').then(|| Self {
            peer: Endpoint::Unix(PathBuf::from(socket)),
            secure: false,
            host: "localhost".to_owned(),
            path,
            user_info: None,
        })
    }
}

/// The header field of `user:password`.
pub fn basic_authorization(user_info: &str) -> (String, String) {
    ("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(user_info)))
}

/// A path that begins with a slash, percent-encoded where a request line needs it.
fn request_path(path: &str) -> String {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let encode = |byte: u8| match byte {
        0x21..=0x7e if !b"\"<>`{|}\\^".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    slash.to_owned() + &path.bytes().map(encode).collect::<String>()
}

/// A request, and how long its answer may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Where the page is.
    pub target: PageUrl,
    /// The method.
    pub method: String,
    /// Header fields beside `Host` and `User-Agent`, which they may replace.
    pub headers: Vec<(String, String)>,
    /// The request's body; may be empty.
    pub body: Vec<u8>,
    /// Time limit for the whole check: retries, connecting, and the last byte of the answer.
    pub timeout: Duration,
    /// What must be found in the answer's body.
    pub want_in_body: Option<Vec<u8>>,
    /// How a secure page is verified.
    pub tls: Tls,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpReading {
    /// The page answered.
    Answered {
        /// Its status.
        status: u16,
        /// The server's words for it.
        reason: String,
        /// Whether the body holds what it must; `None` when nothing was asked for.
        body_has: Option<bool>,
    },
    /// It did not.
    Failed {
        /// The error, in Python's words where it has some.
        error: String,
    },
}

impl HttpCheck {
    /// Checks the page. A refused connection is tried again until the time limit.
    pub fn run(&self) -> HttpReading {
        let start = Instant::now();
        let request = self.request();
        let mut pause = FIRST_RETRY_DELAY;
        loop {
            let left = self.timeout.saturating_sub(start.elapsed());
            let reading = self.once(&request, left);
            let left = self.timeout.saturating_sub(start.elapsed());
            match reading {
                Err(error) if error.is_refused() && left > pause => {
                    thread::park_timeout(pause);
                    pause = (pause * 2).min(MAX_RETRY_DELAY);
                }
                Err(error) => return HttpReading::Failed { error: in_pythons_words(&error) },
                Ok(reading) => return reading,
            }
        }
    }

    /// Asks once, without a time limit; a long body is read up to [`MAX_BODY`].
    pub async fn ask(&self) -> Result<HttpReading, ExchangeError> {
        let request = self.request();
        let prepared = build_request(&request)?;
        let stream = dial(&request.endpoint, &request.tls).await?;
        let mut search = self.want_in_body.as_deref().map(StreamSearch::new);
        let mut length = 0;
        let mut on_body = |piece: &[u8]| {
            length += piece.len();
            let is_found = search.as_mut().is_some_and(|search| {
                search.feed(piece);
                search.found
            });
            if is_found || length > MAX_BODY { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let mut on_head = |_: &_| ControlFlow::Continue(());
        let response = exchange_over(stream, prepared, &mut on_head, &mut on_body).await?;
        let body_has = search.map(|search| search.found);
        Ok(HttpReading::Answered { status: response.status, reason: response.reason, body_has })
    }

    fn once(&self, request: &HttpRequest, timeout: Duration) -> Result<HttpReading, ExchangeError> {
        let mut search = self.want_in_body.as_deref().map(StreamSearch::new);
        let response = exchange(request, Some(timeout), &mut |piece| {
            if let Some(search) = &mut search {
                search.feed(piece);
            }
            ControlFlow::Continue(())
        })?;
        let body_has = search.map(|search| search.found);
        Ok(HttpReading::Answered { status: response.status, reason: response.reason, body_has })
    }

    fn request(&self) -> HttpRequest {
        let own = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let mut headers = Vec::new();
        for (name, value) in
            [("Host", self.target.host.as_str()), ("Accept-Encoding", "identity"), ("User-Agent", "httpok")]
        {
            if !own(name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        headers.extend(self.headers.iter().cloned());
        HttpRequest {
            endpoint: self.target.peer.clone(),
            tls: if self.target.secure { self.tls.clone() } else { Tls::Off },
            method: self.method.clone(),
            target: self.target.path.clone(),
            headers,
            body: self.body.clone(),
        }
    }
}

/// The error as the original mails it. The mail has the URL, so a resolver's error goes without the name.
fn in_pythons_words(error: &ExchangeError) -> String {
    match error {
        ExchangeError::Dial(DialError::Resolve { reason, .. }) => reason.clone(),
        other => other.to_string(),
    }
}

/// Searches for bytes in a stream, buffering only what may be the start of a match.
struct StreamSearch<'a> {
    wanted: &'a [u8],
    kept: Vec<u8>,
    found: bool,
}

impl<'a> StreamSearch<'a> {
    fn new(wanted: &'a [u8]) -> Self {
        Self { wanted, kept: Vec::new(), found: wanted.is_empty() }
    }

    fn feed(&mut self, piece: &[u8]) {
        if self.found {
            return;
        }
        self.kept.extend_from_slice(piece);
        self.found = self.kept.windows(self.wanted.len()).any(|window| window == self.wanted);
        let overlap = self.wanted.len() - 1;
        self.kept.drain(..self.kept.len().saturating_sub(overlap));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    fn tcp(url: &str) -> (String, u16, String) {
        let target = PageUrl::parse(url).unwrap();
        let Endpoint::Tcp { host, port } = target.peer else { panic!("{url}") };
        (host, port, target.path)
    }

    #[test]
    fn urls_are_read() {
        assert_eq!(tcp("http://localhost:8080/a?b#c"), ("localhost".into(), 8080, "/a?b".into()));
        assert_eq!(tcp("HTTPS://host"), ("host".into(), 443, "/".into()));
        assert_eq!(tcp("http://host?q"), ("host".into(), 80, "/?q".into()));
        assert_eq!(tcp("http://host/x??").2, "/x??");
        assert_eq!((tcp("http://host/x?#f").2, tcp("http://host?").2), ("/x".into(), "/".into()));
        assert_eq!(tcp("http://[::1]:81/"), ("::1".into(), 81, "/".into()));
        let target = PageUrl::parse("http://tim:p%40ss@host/").unwrap();
        assert_eq!((target.user_info.as_deref(), target.host.as_str()), (Some("tim:p@ss"), "host"));
        assert_eq!(tcp("http://host/a b/ä%20?x=\"y\"").2, "/a%20b/%C3%A4%20?x=%22y%22");
        assert_eq!(redact_url("http://tim:p@ss@host/x@y"), "http://tim:***@host/x@y");
        assert_eq!(redact_url("http://host/x@y"), "http://host/x@y");
        assert_eq!(redact_url("http://host/x?a=b&token=secret&c=d"), "http://host/x?a=b&token=***&c=d");
        let target = PageUrl::parse("unix:/run/web.sock:/health").unwrap();
        assert_eq!((target.peer, target.path.as_str()), (Endpoint::Unix("/run/web.sock".into()), "/health"));
        assert_eq!(PageUrl::parse("unix:/run/web.sock").unwrap().path, "/");
    }

    #[test]
    fn bad_urls_are_refused_with_a_reason() {
        let error = |url: &str| PageUrl::parse(url).unwrap_err().to_string();
        assert_eq!(error("ftp://x/"), "Bad scheme ftp");
        assert_eq!(error("no url"), "Bad scheme ");
        assert_eq!(error("http://:80/"), "cannot read the URL \"http://:80/\": no host");
        assert_eq!(
            error("http://h:0/"),
            "cannot read the URL \"http://h:0/\": the port is no number from 1 to 65535"
        );
        assert!(error("http://[::1/").ends_with("the ] is missing"));
        assert!(error("unix:relative").ends_with("no path of a socket"));
    }

    fn check(port: u16, timeout: Duration) -> HttpCheck {
        HttpCheck {
            target: PageUrl::parse(&format!("http://127.0.0.1:{port}/health")).unwrap(),
            method: "GET".into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout,
            want_in_body: Some(b"needle".to_vec()),
            tls: Tls::Off,
        }
    }

    #[test]
    fn the_request_names_httpok_and_the_body_is_searched() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, raw) = mpsc::channel();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 2048];
            let got = stream.read(&mut buffer).unwrap();
            sender.send(String::from_utf8_lossy(&buffer[..got]).to_lowercase()).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhay need").unwrap();
            stream.write_all(b"le hay").unwrap();
        });
        let reading = check(port, Duration::from_secs(30)).run();
        assert_eq!(reading, HttpReading::Answered { status: 200, reason: "OK".into(), body_has: Some(true) });
        let raw = raw.recv().unwrap();
        assert!(raw.starts_with("get /health http/1.1\r\n"), "{raw}");
        assert!(
            raw.contains("user-agent: httpok\r\n") && raw.contains(&format!("host: 127.0.0.1:{port}\r\n"))
        );
    }

    #[test]
    fn a_refused_connection_is_tried_until_the_time_is_used_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let start = Instant::now();
        let reading = check(port, Duration::from_millis(500)).run();
        assert_eq!(reading, HttpReading::Failed { error: "[Errno 111] Connection refused".into() });
        assert!(start.elapsed() >= Duration::from_millis(200));
        let server = thread::spawn(move || {
            thread::park_timeout(Duration::from_millis(300));
            let (mut stream, _) = TcpListener::bind(("127.0.0.1", port)).unwrap().accept().unwrap();
            let _ = stream.read(&mut [0; 2048]);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        });
        let reading = check(port, Duration::from_secs(10)).run();
        assert_eq!(
            reading,
            HttpReading::Answered { status: 200, reason: "OK".into(), body_has: Some(false) }
        );
        server.join().unwrap();
    }

    #[test]
    fn a_name_without_an_address_is_told_in_pythons_words() {
        let page = HttpCheck {
            target: PageUrl::parse("http://nobody.invalid/").unwrap(),
            ..check(1, Duration::from_secs(20))
        };
        let HttpReading::Failed { error } = page.run() else { panic!("nobody answered") };
        // Which of them it is depends on this host's name servers.
        assert!(
            error.starts_with("[Errno -2] ") || error.starts_with("[Errno -3] ") || error == "timed out",
            "{error}"
        );
    }

    #[test]
    fn a_page_that_drips_is_over_when_its_time_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        assert_eq!(
            check(port, Duration::from_millis(400)).run(),
            HttpReading::Failed { error: "timed out".into() }
        );
    }

    proptest! {
        #[test]
        fn a_needle_is_found_however_the_hay_is_cut(hay in "[ab]{0,40}", needle in "[ab]{1,5}", size in 1_usize..7) {
            let mut search = StreamSearch::new(needle.as_bytes());
            hay.as_bytes().chunks(size).for_each(|piece| search.feed(piece));
            prop_assert_eq!(search.found, hay.contains(&needle));
        }

        #[test]
        fn no_url_makes_the_parser_panic(url in "\\PC*") {
            let _ = PageUrl::parse(&url);
        }
    }
}
