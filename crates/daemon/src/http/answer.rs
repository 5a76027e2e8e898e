//! One request, answered: who may come in, what is wanted, and the answer's head.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LAST_MODIFIED, SERVER, TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use ironlance_config::Server;
use ironlance_core::level::Level;
use ironlance_core::notice::Channel;
use ironlance_core::python::repr;
use ironlance_rpc::{read, write};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Journal;
use super::auth::{Admission, Lock};
use super::body::{Answer, Burden, Content};
use super::limits::Limits;
use super::methods::Interfaces;
use super::origin::{Door, is_ours};
use super::pulse::{Phase, Pulse};
use super::rpc::Rights;
use super::tail::Tail;
use crate::inbox::{Input, LogPathOf};

/// So much of a request that cannot be read is shown in the log, in characters.
const SHOWN: usize = 400;

/// So much of a body, in bytes, is read from a client that is refused by its head alone.
const REFUSED_BODY: usize = 64 * 1024;
/// So long is waited for it.
const REFUSED_TIME: Duration = Duration::from_secs(2);

/// Reads the body of a request that is refused. A client that sends head and body apart, as Python's does, would
/// otherwise see its connection closed, and not the refusal. Says whether that was all.
async fn swallow(body: Incoming) -> bool {
    let rest = Limited::new(body, REFUSED_BODY).collect();
    timeout(REFUSED_TIME, rest).await.is_ok_and(|read| read.is_ok())
}

/// What all connections of one server share.
pub struct Desk {
    pub(super) section: String,
    pub(super) rights: Rights,
    pub(super) interfaces: Interfaces,
    pub(super) owner: mpsc::Sender<Input>,
    pub(super) journal: Rc<dyn Journal>,
    pub(super) limits: Limits,
    lock: Option<Lock>,
    burden: Burden,
}

/// Where a connection comes from, and where it arrived; nothing on a unix socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) peer: Option<SocketAddr>,
    pub(super) local: Option<SocketAddr>,
}

/// An answer before it gets the head that all answers share.
struct Reply {
    status: StatusCode,
    kind: &'static str,
    content: Content,
    modified: Option<SystemTime>,
}

impl Reply {
    /// An answer in plain words.
    fn bare(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error");
        Self::words(status, format!("{} {reason}\n", status.as_u16()))
    }

    fn words(status: StatusCode, text: impl Into<String>) -> Self {
        let content = Content::Whole(Bytes::from(text.into()));
        Self { status, kind: "text/plain;charset=utf-8", content, modified: None }
    }

    fn xml(content: Content) -> Self {
        Self { kind: "text/xml", content, ..Self::words(StatusCode::OK, "") }
    }

    fn tail(tail: Tail) -> Self {
        let modified = tail.modified().ok();
        Self { content: Content::Log(Box::new(tail)), modified, ..Self::words(StatusCode::OK, "") }
    }
}

impl Desk {
    /// The desk of a server whose clients have these rights.
    pub(super) fn new(
        server: &Server,
        rights: Rights,
        interfaces: Interfaces,
        owner: mpsc::Sender<Input>,
        journal: Rc<dyn Journal>,
        limits: Limits,
    ) -> Self {
        let lock = server.credentials.as_ref().map(Lock::new);
        let burden = Burden::default();
        Self { section: server.section.clone(), rights, interfaces, owner, journal, limits, lock, burden }
    }

    /// The whole answer to a request. It never fails: what goes wrong is a status or a fault.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        pulse: Rc<Pulse>,
    ) -> Result<Response<Answer>, Infallible> {
        pulse.enter(Phase::Busy);
        let line = self.journal.enabled(Level::Trace).then(|| request_line(&request));
        let mut unread = !request.body().is_end_stream();
        let reply = self.reply(request, ends, &pulse, &mut unread).await;
        let is_log = matches!(reply.content, Content::Log(_));
        pulse.enter(if is_log && !unread { Phase::Tail } else { Phase::Busy });
        if let Some(line) = line {
            self.trace_access(&line, ends, &reply);
        }
        Ok(head(reply, pulse, unread))
    }

    async fn reply(&self, request: Request<Incoming>, ends: Ends, pulse: &Pulse, unread: &mut bool) -> Reply {
        let refusal =
            match self.lock.as_ref().map_or(Admission::Granted, |lock| lock.admits(request.headers())) {
                Admission::Granted => None,
                Admission::Refused => Some(StatusCode::UNAUTHORIZED),
                Admission::Malformed => Some(StatusCode::BAD_REQUEST),
            };
        if let Some(status) = refusal {
            *unread = !swallow(request.into_body()).await;
            return Reply::bare(status);
        }
        // As in the original, a path is taken for what it begins with.
        let Some(path) = unquoted(request.uri().path()) else { return Reply::bare(StatusCode::BAD_REQUEST) };
        if path.starts_with("/RPC2") {
            return self.rpc(request, ends, pulse, unread).await;
        }
        let is_get = request.method() == Method::GET;
        if let Some(rest) = path.strip_prefix("/logtail") {
            return if is_get { self.process_log(rest).await } else { Reply::bare(StatusCode::BAD_REQUEST) };
        }
        if path.starts_with("/mainlogtail") {
            return if is_get {
                self.tail(LogPathOf::Main).await
            } else {
                Reply::bare(StatusCode::BAD_REQUEST)
            };
        }
        match (is_get || request.method() == Method::HEAD, &*path) {
            (false, _) => Reply::bare(StatusCode::BAD_REQUEST),
            (true, "/") => Reply::words(StatusCode::OK, WELCOME),
            (true, _) => Reply::bare(StatusCode::NOT_FOUND),
        }
    }

    async fn rpc(&self, request: Request<Incoming>, ends: Ends, pulse: &Pulse, unread: &mut bool) -> Reply {
        if request.method() != Method::POST {
            return Reply::bare(StatusCode::BAD_REQUEST);
        }
        let headers = request.headers();
        let door = if self.lock.is_some() { Door::Locked } else { Door::Open };
        if !is_ours(headers, ends.local, door) {
            let words = "403 Forbidden: this call comes from a page of another site\n";
            *unread = !swallow(request.into_body()).await;
            return Reply::words(StatusCode::FORBIDDEN, words);
        }
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Reply::bare(StatusCode::LENGTH_REQUIRED);
        }
        let data = match self.body(request.into_body(), pulse).await {
            Ok(data) => data,
            Err(status) => return Reply::bare(status),
        };
        *unread = false;
        match read::request(&data) {
            Ok((method, params)) => {
                let xml = self.called(&method, params).await;
                let content = self.burden.add(xml, self.limits.answers);
                content.map_or_else(|| Reply::bare(StatusCode::SERVICE_UNAVAILABLE), Reply::xml)
            }
            Err(why) => {
                let shown: String = String::from_utf8_lossy(&data).chars().take(SHOWN).collect();
                let complaint = match &why {
                    read::ReadError::NoMethod => "no method name".to_owned(),
                    other => format!("unmarshallable ({other})"),
                };
                let line = format!("XML-RPC request data {} is invalid: {complaint}", repr(&shown));
                self.journal.log(Level::Error, &line);
                Reply::bare(StatusCode::BAD_REQUEST)
            }
        }
    }

    /// The whole body of a request, or the status that says why there is none.
    async fn body(&self, body: Incoming, pulse: &Pulse) -> Result<Bytes, StatusCode> {
        let limits = &self.limits;
        if body.size_hint().lower() > limits.body as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        pulse.enter(Phase::Body);
        let body = timeout(limits.body_time, Limited::new(body, limits.body).collect()).await;
        pulse.enter(Phase::Busy);
        match body {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }

    /// Calls a method and writes down what comes of it.
    async fn called(&self, method: &str, params: Vec<ironlance_rpc::Value>) -> String {
        let trace = self.journal.enabled(Level::Trace);
        if trace {
            self.journal.log(Level::Trace, &format!("XML-RPC method called: {method}()"));
        }
        let result = self.call(method, params).await;
        if trace {
            self.journal.log(
                Level::Trace,
                &match &result {
                    Ok(_) => format!("XML-RPC method {method}() returned successfully"),
                    Err(no) => {
                        format!("XML-RPC method {method}() returned fault: [{}] {}", no.code, no.string)
                    }
                },
            );
        }
        match result {
            Ok(value) => write::response(&value),
            Err(fault) => write::fault(&fault),
        }
    }

    /// `/logtail/NAME[/CHANNEL]`, from behind `/logtail`.
    async fn process_log(&self, rest: &str) -> Reply {
        let Some((_, wanted)) = rest.split_once('/') else { return Reply::bare(StatusCode::NOT_FOUND) };
        let (name, channel) = wanted.split_once('/').unwrap_or((wanted, Channel::Stdout.name()));
        let channels = [Channel::Stdout, Channel::Stderr];
        let Some(channel) = channels.into_iter().find(|known| known.name() == channel) else {
            return Reply::bare(StatusCode::NOT_FOUND);
        };
        self.tail(LogPathOf::Process { name: name.to_owned(), channel }).await
    }

    async fn tail(&self, what: LogPathOf) -> Reply {
        let (reply, answer) = oneshot::channel();
        if self.owner.send(Input::LogPath { what, reply }).await.is_err() {
            return Reply::bare(StatusCode::SERVICE_UNAVAILABLE);
        }
        let Ok(Some(path)) = answer.await else { return Reply::bare(StatusCode::NOT_FOUND) };
        Tail::open(&path).map_or_else(|_| Reply::bare(StatusCode::NOT_FOUND), Reply::tail)
    }

    /// The line that the original's server writes for each request.
    fn trace_access(&self, line: &str, ends: Ends, reply: &Reply) {
        let (host, port) = ends
            .peer
            .map_or_else(|| ("localhost".to_owned(), 0), |peer| (peer.ip().to_string(), peer.port()));
        let size = match &reply.content {
            Content::Whole(bytes) => bytes.len(),
            Content::Log(_) => 0,
        };
        // "Mon, 23 Nov 2026 13:11:27 GMT" to "23/Nov/2026:13:11:27 +0000".
        let now = httpdate::fmt_http_date(SystemTime::now());
        let mut words = now.split(' ').skip(1);
        let mut next = || words.next().unwrap_or_default();
        let (day, month, year, time) = (next(), next(), next(), next());
        let status = reply.status.as_u16();
        self.journal.log(
            Level::Trace,
            &format!("{host}:{port} - - [{day}/{month}/{year}:{time} +0000] \"{line}\" {status} {size}"),
        );
    }
}

/// What `GET /` says.
const WELCOME: &str = concat!(
    "ironlance ",
    env!("CARGO_PKG_VERSION"),
    ": supervisord.\n\nTalk to it with supervisorctl, or by XML-RPC at /RPC2.\n"
);

fn request_line(request: &Request<Incoming>) -> String {
    format!("{} {} {:?}", request.method(), request.uri(), request.version())
}

/// The answer with its head. One whose request was not read to its end is the last on its connection.
fn head(reply: Reply, pulse: Rc<Pulse>, unread: bool) -> Response<Answer> {
    let Reply { status, kind, content, modified } = reply;
    let is_log = matches!(content, Content::Log(_));
    let mut response = Response::new(Answer::new(content, pulse));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("ironlance"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if is_log {
        // A proxy in between must not collect what should be seen at once.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    if let Some(modified) = modified.and_then(|when| httpdate::fmt_http_date(when).parse().ok()) {
        headers.insert(LAST_MODIFIED, modified);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
    }
    if unread || status == StatusCode::UNAUTHORIZED {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A path with its `%41` resolved; nothing where that is no UTF-8. What is no escape stays as it is, as in Python.
fn unquoted(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(path.into());
    }
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let escaped = escape.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}
