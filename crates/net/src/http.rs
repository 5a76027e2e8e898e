//! One HTTP/1.1 request and its answer over any stream; no redirects, nothing kept.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Connection, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::ask_first::AskFirst;
use crate::dial::{DialError, Peer, dial};
use crate::runtime;
use crate::status_line::FirstLine;
use crate::tls::Tls;

/// An answer's head may be so large, in bytes.
const MAX_HEAD: usize = 256 * 1024;
/// An answer may have so many header fields.
const MAX_HEADERS: usize = 200;

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where to connect to.
    pub peer: Peer,
    /// Whether to speak TLS there.
    pub tls: Tls,
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query, beginning with a slash.
    pub target: String,
    /// Header fields in order; `Host` must be among them, `Content-Length` is added for a body.
    pub headers: Vec<(String, String)>,
    /// The body; may be empty.
    pub body: Vec<u8>,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The server's own reason phrase; empty when it sent none.
    pub reason: String,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The deadline came first.
    #[error("timed out")]
    TimedOut,
    /// The server hung up instead of answering.
    #[error("Remote end closed connection without response")]
    Closed,
    /// What was asked cannot be put into a request.
    #[error("cannot ask for {target:?}: {reason}")]
    Request {
        /// Path and query.
        target: String,
        /// What is wrong with the request.
        reason: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("{0}")]
    Broken(String),
    /// The machine refuses us a runtime.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}

impl ExchangeError {
    /// Whether nobody listened at the other side.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Dial(DialError::Refused(_)))
    }
}

/// Sends `request` and hands the answer's body to `on_body` piece by piece, until that says stop.
///
/// `deadline` bounds the whole exchange, body included; `None` waits for ever.
pub fn exchange(
    request: &Request,
    deadline: Option<Duration>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    let all = async {
        let exchange = dial_and_ask(request, on_body);
        match deadline {
            None => exchange.await,
            Some(deadline) => {
                tokio::time::timeout(deadline, exchange).await.unwrap_or(Err(ExchangeError::TimedOut))
            }
        }
    };
    runtime::block_on(all).map_err(ExchangeError::Runtime)?
}

async fn dial_and_ask(
    request: &Request,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    // A request that is none must not cost the server a connection.
    let prepared = prepare(request)?;
    let stream = dial(&request.peer, &request.tls).await?;
    ask(stream, prepared, on_body).await
}

/// The same over a stream that is there already; without a deadline.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &Request,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    ask(stream, prepare(request)?, on_body).await
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    prepared: hyper::Request<Full<Bytes>>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    ask_head(stream, prepared, &mut |_| ControlFlow::Continue(()), on_body).await
}

/// The same, with the head handed over as soon as it is there.
pub(crate) async fn ask_head(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    prepared: hyper::Request<Full<Bytes>>,
    on_head: &mut dyn FnMut(&Response) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    let first_line = FirstLine::default();
    let (mut sender, connection) = shake_hands(stream, first_line.clone()).await?;
    let answer = async {
        let response = sender.send_request(prepared).await.map_err(|e| broken_head(&e, &first_line))?;
        read_answer(response, &first_line, on_head, on_body).await
    };
    while_driven(connection, answer).await
}

/// A connection that must be polled for its answers to come.
pub(crate) type Link<S> = Connection<TokioIo<AskFirst<S>>, Full<Bytes>>;

/// Makes a stream one that speaks HTTP.
pub(crate) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    first_line: FirstLine,
) -> Result<(SendRequest<Full<Bytes>>, Link<S>), ExchangeError> {
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    // As forgiving as Python's http.client: who speaks a little oddly is not down.
    builder.allow_obsolete_multiline_headers_in_responses(true);
    builder.allow_spaces_after_header_name_in_responses(true);
    builder.ignore_invalid_headers_in_responses(true);
    builder.handshake(TokioIo::new(AskFirst::new(stream, first_line))).await.map_err(|e| broken(&e))
}

/// Waits for an answer while its connection is kept moving.
async fn while_driven<T>(connection: impl Future, answer: impl Future<Output = T>) -> T {
    // The connection only moves while it is polled; its own error is that of the answer as well.
    let drive = async {
        connection.await;
        std::future::pending::<()>().await;
    };
    tokio::pin!(answer, drive);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = &mut drive => {}
        }
    }
}

/// Hands over the head, then the body piece by piece, until one of them says stop.
pub(crate) async fn read_answer(
    response: hyper::Response<Incoming>,
    first_line: &FirstLine,
    on_head: &mut dyn FnMut(&Response) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<Response, ExchangeError> {
    let (head, mut body) = response.into_parts();
    let reason = first_line.reason(head.status.as_u16()).unwrap_or_else(|| {
        match head.extensions.get::<ReasonPhrase>() {
            Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
            None => head.status.canonical_reason().unwrap_or_default().to_owned(),
        }
    });
    let length = head.headers.get(hyper::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let response = Response { status: head.status.as_u16(), reason };
    if on_head(&response).is_break() {
        return Ok(response);
    }
    let mut got = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| if is_cut(&error) { cut(got, length) } else { broken(&error) })?;
        got += frame.data_ref().map_or(0, Bytes::len);
        if frame.data_ref().is_some_and(|data| on_body(data).is_break()) {
            break;
        }
    }
    Ok(response)
}

pub(crate) fn prepare(request: &Request) -> Result<hyper::Request<Full<Bytes>>, ExchangeError> {
    let mut builder = hyper::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name, value.as_bytes());
    }
    let body = Full::new(Bytes::copy_from_slice(&request.body));
    builder
        .body(body)
        .map_err(|error| ExchangeError::Request { target: request.target.clone(), reason: error.to_string() })
}

fn is_cut(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    error.is_incomplete_message() || cause.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
}

/// A body that ended early, in Python's words.
fn cut(got: usize, length: Option<usize>) -> ExchangeError {
    let more = length.map(|length| format!(", {} more expected", length.saturating_sub(got)));
    ExchangeError::Broken(format!("IncompleteRead({got} bytes read{})", more.unwrap_or_default()))
}

/// What came first may be no answer at all.
fn broken_head(error: &hyper::Error, first_line: &FirstLine) -> ExchangeError {
    let fault = first_line.fault().filter(|_| error.is_parse() || error.is_incomplete_message());
    fault.map_or_else(|| broken(error), ExchangeError::Broken)
}

pub(crate) fn broken(error: &hyper::Error) -> ExchangeError {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        return ExchangeError::Closed;
    }
    let cause = std::error::Error::source(error);
    if let Some(io) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        return ExchangeError::Broken(crate::os_error(io));
    }
    ExchangeError::Broken(cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    /// A server that answers one connection with `answer` and then hangs up, or hangs when told to.
    fn serve(answer: &'static [u8], hang: Option<Duration>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(answer);
            if let Some(hang) = hang {
                stream.set_read_timeout(Some(hang)).unwrap();
                let _ = stream.read(&mut buffer);
            }
        });
        port
    }

    fn get(port: u16) -> (Result<Response, ExchangeError>, Vec<u8>) {
        let request = Request {
            peer: Peer::Tcp { host: "127.0.0.1".into(), port },
            tls: Tls::Off,
            method: "GET".into(),
            target: "/x?y".into(),
            headers: vec![("Host".into(), "127.0.0.1".into())],
            body: Vec::new(),
        };
        let mut body = Vec::new();
        let response = exchange(&request, Some(Duration::from_secs(1)), &mut |piece| {
            body.extend_from_slice(piece);
            ControlFlow::Continue(())
        });
        (response, body)
    }

    #[test]
    fn the_servers_own_reason_and_body_are_given() {
        let (response, body) = get(serve(b"HTTP/1.1 503 Out To Lunch\r\nContent-Length: 2\r\n\r\nhi", None));
        assert_eq!(response.unwrap(), Response { status: 503, reason: "Out To Lunch".into() });
        assert_eq!(body, b"hi");
        let (response, body) = get(serve(b"HTTP/1.0 200 OK\r\n\r\nuntil the end", None));
        assert_eq!(response.unwrap().status, 200);
        assert_eq!(body, b"until the end");
    }

    #[test]
    fn failures_read_as_python_words_them() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = get(free).0.unwrap_err();
        assert!(refused.is_refused());
        assert_eq!(refused.to_string(), "[Errno 111] Connection refused");
        let closed = get(serve(b"", None)).0.unwrap_err();
        assert_eq!(closed.to_string(), "Remote end closed connection without response");
        let mute = get(serve(b"", Some(Duration::from_secs(5)))).0.unwrap_err();
        assert_eq!(mute.to_string(), "timed out");
        let endless = get(serve(b"HTTP/1.1 200 OK\r\n\r\nx", Some(Duration::from_secs(5)))).0.unwrap_err();
        assert_eq!(endless.to_string(), "timed out");
    }

    #[test]
    fn an_answer_that_is_no_http_is_its_own_error_as_in_python() {
        for (answer, words) in [
            (&b"SSH-2.0-x\r\n"[..], "SSH-2.0-x\r\n"),
            (b"HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 abc OK\r\n"),
            (b"HTTP/2.0 200 OK\r\n\r\n", "HTTP/2.0"),
        ] {
            assert_eq!(get(serve(answer, None)).0.unwrap_err().to_string(), words);
        }
        let response = get(serve(b"HTTP/1.1 500  Gr\xf6\xdfe \r\n\r\n", None)).0.unwrap();
        assert_eq!(response.reason, "Größe");
    }

    #[test]
    fn a_server_that_answers_before_it_was_asked_is_understood() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
            let _ = stream.read(&mut [0; 4096]);
        });
        assert_eq!(get(port).0.unwrap().status, 200);
    }

    #[test]
    fn a_cut_body_is_told_in_pythons_words() {
        let error = get(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nhello", None)).0.unwrap_err();
        assert_eq!(error.to_string(), "IncompleteRead(5 bytes read, 10 more expected)");
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        for garbage in
            [&b"\xff\xfe\n\n"[..], b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nX"]
        {
            assert!(get(serve(garbage, None)).0.is_err(), "{garbage:?}");
        }
    }
}
