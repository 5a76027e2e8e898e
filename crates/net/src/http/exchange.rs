//! One HTTP/1.1 exchange over any stream: request, response head, body in pieces. It follows no redirects and keeps no
//! connection.

use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::dial::{DialError, Endpoint, dial};
use crate::runtime;
use crate::tls::Tls;

use super::status_line::StatusLine;
use super::write_first::WriteFirst;

/// The largest response head, in bytes.
const MAX_HEAD: usize = 256 * 1024;
/// The most header fields in a response.
const MAX_HEADERS: usize = 200;

/// A request and where to send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Where to connect to.
    pub endpoint: Endpoint,
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

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The server's own reason phrase; empty when it sent none.
    pub reason: String,
    headers: HeaderMap,
}

impl HttpResponse {
    /// The value of a header field, if there is one that is text; the first of several.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why an exchange failed.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The deadline came first.
    #[error("timed out")]
    TimedOut,
    /// The server closed the connection instead of answering.
    #[error("Remote end closed connection without response")]
    Closed,
    /// The proxy cannot be reached, or refuses.
    #[error("proxy {0}")]
    Proxy(String),
    /// The request is not valid HTTP.
    #[error("cannot ask for {target:?}: {reason}")]
    Request {
        /// Path and query.
        target: String,
        /// What is wrong with the request.
        reason: String,
    },
    /// The connection broke, or the response is not HTTP.
    #[error("{0}")]
    Broken(String),
    /// The operating system refuses a runtime.
    #[error("cannot start a runtime: {0}")]
    Runtime(io::Error),
}

impl ExchangeError {
    /// Whether nothing listens at the endpoint.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Dial(DialError::Refused(_)))
    }
}

/// Sends `request` and passes the response body to `on_body` piece by piece, until `on_body` breaks.
///
/// `deadline` limits the whole exchange, body included; `None` sets no limit.
pub fn exchange(
    request: &HttpRequest,
    deadline: Option<Duration>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<HttpResponse, ExchangeError> {
    let mut on_head = |_: &HttpResponse| ControlFlow::Continue(());
    let all = within(deadline, dial_and_send(request, &mut on_head, on_body));
    runtime::block_on(all).map_err(ExchangeError::Runtime)?
}

/// Limits the time of an exchange, if there is a deadline.
pub(crate) async fn within<T>(
    deadline: Option<Duration>,
    exchange: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    let limit = deadline.unwrap_or(Duration::MAX);
    tokio::time::timeout(limit, exchange).await.unwrap_or(Err(ExchangeError::TimedOut))
}

/// An exchange without a deadline; the head is passed to `on_head` as soon as it is there.
pub(crate) async fn dial_and_send(
    request: &HttpRequest,
    on_head: &mut dyn FnMut(&HttpResponse) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<HttpResponse, ExchangeError> {
    // Built first: an invalid request must not open a connection.
    let prepared = build_request(request)?;
    let stream = dial(&request.endpoint, &request.tls).await?;
    exchange_over(stream, prepared, on_head, on_body).await
}

/// The same over a given stream.
pub async fn exchange_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    prepared: hyper::Request<Full<Bytes>>,
    on_head: &mut dyn FnMut(&HttpResponse) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<HttpResponse, ExchangeError> {
    let first_line = StatusLine::default();
    let mut connection = HttpConnection::open(stream, first_line.clone()).await?;
    Ok(connection.send(prepared, &first_line, on_head, on_body).await?.0)
}

/// A connection: hyper's two halves. It makes progress only during [`HttpConnection::send`].
pub(crate) struct HttpConnection {
    sender: SendRequest<Full<Bytes>>,
    driver: Pin<Box<dyn Future<Output = ()>>>,
}

/// Why a request has no response.
pub(crate) enum SendError {
    /// The connection was closed before the request was sent; the request is returned.
    NotSent(Box<hyper::Request<Full<Bytes>>>),
    /// The request may have reached the server.
    Failed(ExchangeError),
}

impl From<SendError> for ExchangeError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotSent(_) => Self::Closed,
            SendError::Failed(error) => error,
        }
    }
}

impl HttpConnection {
    /// Sets up hyper on a stream; `first_line` records the first line that arrives.
    pub(crate) async fn open(
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        first_line: StatusLine,
    ) -> Result<Self, ExchangeError> {
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
        // As lenient as Python's http.client: a server with small syntax errors is not down.
        builder.allow_obsolete_multiline_headers_in_responses(true);
        builder.allow_spaces_after_header_name_in_responses(true);
        builder.ignore_invalid_headers_in_responses(true);
        let halves = builder.handshake(TokioIo::new(WriteFirst::new(stream, first_line))).await;
        let (sender, connection) = halves.map_err(|error| exchange_error(&error))?;
        // An error of the connection is reported by the answer as well.
        Ok(Self { sender, driver: Box::pin(async move { drop(connection.await) }) })
    }

    /// Sends a request and passes on its response. Returns too whether the connection can be used again.
    pub(crate) async fn send(
        &mut self,
        prepared: hyper::Request<Full<Bytes>>,
        first_line: &StatusLine,
        on_head: &mut dyn FnMut(&HttpResponse) -> ControlFlow<()>,
        on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(HttpResponse, bool), SendError> {
        let Self { sender, driver } = self;
        let (mut is_open, mut is_whole) = (true, true);
        let response = {
            let answer = async {
                if sender.ready().await.is_err() {
                    return Err(SendError::NotSent(Box::new(prepared)));
                }
                let sent = sender.try_send_request(prepared).await;
                let response = sent.map_err(|mut error| match error.take_message() {
                    Some(unsent) => SendError::NotSent(Box::new(unsent)),
                    None => SendError::Failed(head_error(error.error(), first_line)),
                })?;
                let mut on_body = |piece: &[u8]| {
                    let flow = on_body(piece);
                    is_whole &= flow.is_continue();
                    flow
                };
                read_response(response, first_line, on_head, &mut on_body).await.map_err(SendError::Failed)
            };
            tokio::pin!(answer);
            loop {
                tokio::select! {
                    biased;
                    () = &mut *driver, if is_open => is_open = false,
                    answer = &mut answer => break answer?,
                }
            }
        };
        Ok((response, is_open && is_whole))
    }
}

/// Passes on the head, then the body piece by piece, until one of the callbacks breaks.
async fn read_response(
    response: hyper::Response<Incoming>,
    first_line: &StatusLine,
    on_head: &mut dyn FnMut(&HttpResponse) -> ControlFlow<()>,
    on_body: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<HttpResponse, ExchangeError> {
    let (head, mut body) = response.into_parts();
    let reason = first_line.reason(head.status.as_u16()).unwrap_or_else(|| {
        match head.extensions.get::<ReasonPhrase>() {
            Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
            None => head.status.canonical_reason().unwrap_or_default().to_owned(),
        }
    });
    let length = head.headers.get(hyper::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let response = HttpResponse { status: head.status.as_u16(), reason, headers: head.headers };
    if on_head(&response).is_break() {
        return Ok(response);
    }
    let mut got = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if is_truncated(&error) { incomplete_read(got, length) } else { exchange_error(&error) }
        })?;
        got += frame.data_ref().map_or(0, Bytes::len);
        if frame.data_ref().is_some_and(|data| on_body(data).is_break()) {
            break;
        }
    }
    Ok(response)
}

/// The request as hyper sends it.
pub fn build_request(request: &HttpRequest) -> Result<hyper::Request<Full<Bytes>>, ExchangeError> {
    let mut builder = hyper::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
    for (name, value) in &request.headers {
        builder = builder.header(name, value.as_bytes());
    }
    let body = Full::new(Bytes::copy_from_slice(&request.body));
    builder
        .body(body)
        .map_err(|error| ExchangeError::Request { target: request.target.clone(), reason: error.to_string() })
}

fn is_truncated(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    error.is_incomplete_message() || cause.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
}

/// The error of a body that ended early, as Python words it.
fn incomplete_read(got: usize, length: Option<usize>) -> ExchangeError {
    let more = length.map(|length| format!(", {} more expected", length.saturating_sub(got)));
    ExchangeError::Broken(format!("IncompleteRead({got} bytes read{})", more.unwrap_or_default()))
}

/// The error before a response head was read: where the first line is not HTTP, it is the message.
fn head_error(error: &hyper::Error, first_line: &StatusLine) -> ExchangeError {
    let fault = first_line.fault().filter(|_| error.is_parse() || error.is_incomplete_message());
    fault.map_or_else(|| exchange_error(error), ExchangeError::Broken)
}

fn exchange_error(error: &hyper::Error) -> ExchangeError {
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

    fn get(port: u16) -> (Result<HttpResponse, ExchangeError>, Vec<u8>) {
        let request = HttpRequest {
            endpoint: Endpoint::Tcp { host: "127.0.0.1".into(), port },
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
        let response = response.unwrap();
        assert_eq!((response.status, response.reason.as_str()), (503, "Out To Lunch"));
        assert_eq!(response.header("content-length"), Some("2"));
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
