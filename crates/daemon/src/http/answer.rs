//! One request, answered: who may come in, what is wanted, and the answer's head.

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::SystemTime;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LAST_MODIFIED, SERVER,
    TRANSFER_ENCODING, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use ironlance_config::HttpServer;
use ironlance_core::event::notice::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::text::python::repr;
use ironlance_rpc::{read, write};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Journal;
use super::auth::{Admission, Lock};
use super::body::{Answer, Burden, Content};
use super::cross_site::{Ask, CrossSite, Machine};
use super::document::{self, LogReader, Made};
use super::events::{self, Events};
use super::limits::Limits;
use super::methods::Interfaces;
use super::outboxes::Lookout;
use super::pages::{self, May, Pages, Sheet};
use super::percent;
use super::phase::Phase;
use super::pulse::Pulse;
use super::refusal::Refusal;
use super::rpc::Rights;
use super::tail::Tail;
use crate::inbox::Input;
use crate::request::LogId;
use crate::requester::{Client, ClientPeer, Requester};

/// So much of a request that cannot be read is shown in the log, in characters.
const SHOWN: usize = 400;

/// Answers that go on for as long as somebody reads them.
const FOLLOWED: [&str; 4] = ["/logtail", "/mainlogtail", "/events", "/live"];

/// What all connections of one server share.
pub struct Desk {
    pub(super) section: String,
    pub(super) rights: Rights,
    pub(super) interfaces: Interfaces,
    pub(super) owner: mpsc::Sender<Input>,
    pub(super) journal: Rc<dyn Journal>,
    pub(super) limits: Limits,
    pub(super) reader: Rc<LogReader>,
    pub(super) lookout: Lookout,
    lock: Option<Lock>,
    /// Whose password opens the lock.
    user: Option<Rc<str>>,
    cross_site: CrossSite,
    /// Whether the log knows that somebody came by a name that is none of ours.
    told_of_name: Cell<bool>,
    burden: Burden,
    pages: Pages,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    pub(super) peer: Option<SocketAddr>,
    /// On a unix socket, the process that connected, by the kernel's word: its number, if it can be seen, and its user.
    pub(super) process: Option<(Option<u32>, u32)>,
}

impl Ends {
    fn client(self, user: Option<&Rc<str>>) -> Client {
        let peer = match (self.peer, self.process) {
            (Some(address), _) => ClientPeer::Remote(address),
            (None, Some((pid, uid))) => ClientPeer::Local { pid, uid, command: None },
            (None, None) => ClientPeer::Unknown,
        };
        Client { peer, user: user.cloned() }
    }
}

/// An answer before it gets the head that all answers share.
struct Reply {
    status: StatusCode,
    kind: &'static str,
    content: Content,
    modified: Option<SystemTime>,
    /// What this answer alone has in its head.
    headers: HeaderMap,
}

impl Reply {
    fn refused(refusal: &Refusal) -> Self {
        Self::words(refusal.status(), refusal.line())
    }

    /// An answer in plain words.
    fn words(status: StatusCode, text: impl Into<String>) -> Self {
        let content = Content::Whole(Bytes::from(text.into()));
        Self { status, kind: "text/plain;charset=utf-8", content, modified: None, headers: HeaderMap::new() }
    }

    fn xml(content: Content) -> Self {
        Self { kind: "text/xml", content, ..Self::words(StatusCode::OK, "") }
    }

    fn tail(tail: Tail) -> Self {
        let modified = tail.modified().ok();
        Self { content: Content::Log(Box::new(tail)), modified, ..Self::words(StatusCode::OK, "") }
    }

    fn live(content: Content) -> Self {
        let headers = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ]);
        Self { kind: "text/event-stream", content, headers, ..Self::words(StatusCode::OK, "") }
    }
}

impl Desk {
    /// The desk of a server whose clients have these rights.
    pub(super) fn new(
        server: &HttpServer,
        rights: Rights,
        interfaces: Interfaces,
        owner: mpsc::Sender<Input>,
        journal: Rc<dyn Journal>,
        limits: Limits,
    ) -> Self {
        let lock = server.credentials.as_ref().map(Lock::new);
        let may = match rights {
            Rights::All => May::Change,
            Rights::Reads => May::Look,
        };
        let reader = Rc::new(LogReader::new(owner.clone()));
        let pages = Pages::new(owner.clone(), Rc::clone(&journal), may, Rc::clone(&reader));
        let (section, burden) = (server.section.clone(), Burden::default());
        let lookout = Lookout::new(owner.clone());
        let user = server.credentials.as_ref().map(|known| known.username.as_str().into());
        let (cross_site, told_of_name) = (CrossSite::new(server, &Machine::here()), Cell::new(false));
        Self {
            section,
            rights,
            interfaces,
            owner,
            journal,
            limits,
            reader,
            lookout,
            lock,
            user,
            cross_site,
            told_of_name,
            burden,
            pages,
        }
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
        if self.lock.is_none() {
            pulse.is_known();
        }
        pulse.enter(match reply.content {
            _ if unread => Phase::Refused,
            Content::Log(_) => Phase::Tail,
            Content::Live(_) => Phase::Live,
            Content::Whole(_) | Content::InParts(..) => Phase::Busy,
        });
        if let Some(line) = line {
            self.trace_access(&line, ends, &reply);
        }
        Ok(head(reply, pulse, unread))
    }

    async fn reply(&self, request: Request<Incoming>, ends: Ends, pulse: &Pulse, unread: &mut bool) -> Reply {
        let refusal =
            match self.lock.as_ref().map_or(Admission::Granted, |lock| lock.admits(request.headers())) {
                Admission::Granted => None,
                Admission::Refused => Some(Refusal::NoPassword),
                Admission::Malformed => Some(Refusal::OddPassword),
            };
        // Whoever shows no password is told so before anything else of the request is read.
        if let Some(refusal) = refusal {
            return Reply::refused(&refusal);
        }
        if self.lock.is_some() {
            pulse.is_known();
        }
        if let Some(name) = self.cross_site.wrong_name(&request) {
            return self.not_known_as(name);
        }
        // As in the original, a path is taken for what it begins with.
        let Some(path) = unquoted(request.uri().path()) else { return Reply::refused(&Refusal::OddPath) };
        if path.starts_with("/RPC2") {
            return self.rpc(request, ends, pulse, unread).await;
        }
        let is_get = request.method() == Method::GET;
        if FOLLOWED.iter().any(|followed| path.starts_with(followed))
            && !self.cross_site.admits(Ask::Follow, request.headers())
        {
            return Reply::refused(&Refusal::Foreign);
        }
        if let Some(rest) = path.strip_prefix("/logtail") {
            let refused = || Reply::refused(&Refusal::LogNotByGet);
            return if is_get { self.process_log(rest).await } else { refused() };
        }
        if path.starts_with("/mainlogtail") {
            return if is_get { self.tail(LogId::Main).await } else { Reply::refused(&Refusal::LogNotByGet) };
        }
        if path == "/events" && (is_get || request.method() == Method::HEAD) {
            return self.events(&request).await;
        }
        if path == "/action" && request.method() == Method::POST {
            return self.action(request, ends, pulse, unread).await;
        }
        if !is_get && request.method() != Method::HEAD {
            return Reply::refused(&Refusal::PageNotByGet);
        }
        let query = request.uri().query().unwrap_or_default();
        let sheet = self.pages.get(&path, query, request.headers()).await;
        sheet.map_or_else(|| Reply::refused(&Refusal::NoPage), |sheet| self.sheet(sheet, request.method()))
    }

    /// The answer to a client that calls us by a name which somebody else may have pointed at us.
    fn not_known_as(&self, name: String) -> Reply {
        let section = &self.section;
        if !self.told_of_name.replace(true) {
            let line = format!(
                "[{section}] refused a client that called it {name:?} (further ones are not told): it has no password \
                 and is not known by that name; if it is, add the name to allowed_hosts in [{section}]"
            );
            self.journal.log(Level::Warn, &line);
        }
        Reply::refused(&Refusal::WrongName { name, section: section.clone() })
    }

    /// What a page's buttons ask for.
    async fn action(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        pulse: &Pulse,
        unread: &mut bool,
    ) -> Reply {
        if let Some(refusal) = self.pages.refusal(request.headers(), &self.cross_site) {
            return self.sheet(refusal, &Method::POST);
        }
        let (head, body) = request.into_parts();
        let form = match self.body(body, pages::FORM, pulse).await {
            Ok(form) => form,
            Err(refusal) => return Reply::refused(&refusal),
        };
        *unread = false;
        let asker = Requester::Page(ends.client(self.user.as_ref()));
        self.sheet(self.pages.act(&asker, &head.headers, &form).await, &Method::POST)
    }

    /// An answer of the pages; those that go on have only a head where only that is asked for.
    fn sheet(&self, sheet: Sheet, method: &Method) -> Reply {
        let Sheet { status, kind, body, headers } = sheet;
        let content = match body {
            pages::Body::Text(text) => self.burden.add(text, self.limits.answers),
            pages::Body::Fixed(text) => Some(Content::Whole(Bytes::from_static(text.as_bytes()))),
            pages::Body::Live(_) if method == Method::HEAD => Some(Content::Whole(Bytes::new())),
            pages::Body::Live(live) => Some(Content::Live(live)),
        };
        let Some(content) = content else { return Reply::refused(&Refusal::TooManyAnswers) };
        Reply { status, kind, content, modified: None, headers }
    }

    async fn rpc(&self, request: Request<Incoming>, ends: Ends, pulse: &Pulse, unread: &mut bool) -> Reply {
        if request.method() != Method::POST {
            return Reply::refused(&Refusal::CallNotByPost);
        }
        let headers = request.headers();
        if !self.cross_site.admits(Ask::Call, headers) {
            return Reply::refused(&Refusal::Foreign);
        }
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Reply::refused(&Refusal::NoLength);
        }
        let data = match self.body(request.into_body(), self.limits.body, pulse).await {
            Ok(data) => data,
            Err(refusal) => return Reply::refused(&refusal),
        };
        *unread = false;
        match read::request(&data) {
            Ok((method, params)) => {
                let asker = Requester::Client(ends.client(self.user.as_ref()));
                let content = match self.called(&asker, &method, params).await {
                    Made::Whole(xml) => self.burden.add(xml, self.limits.answers),
                    Made::InParts(document) => {
                        self.burden.add_parts(document, &self.reader, self.limits.answers)
                    }
                };
                content.map_or_else(|| Reply::refused(&Refusal::TooManyAnswers), Reply::xml)
            }
            Err(why) => {
                let shown: String = String::from_utf8_lossy(&data).chars().take(SHOWN).collect();
                let complaint = match &why {
                    read::ReadError::NoMethod => "no method name",
                    _ => "unmarshallable",
                };
                let line = format!("XML-RPC request data {} is invalid: {complaint}", repr(&shown));
                self.journal.log(Level::Error, &line);
                // The original has no such line, so it stays where only those look who want to know.
                self.journal.log(Level::Debug, &why.to_string());
                Reply::refused(&Refusal::NoCall(why.to_string()))
            }
        }
    }

    /// The whole body of a request, of `most` bytes, or why there is none.
    async fn body(&self, body: Incoming, most: usize, pulse: &Pulse) -> Result<Bytes, Refusal> {
        if body.size_hint().lower() > most as u64 {
            return Err(Refusal::TooLong(most));
        }
        pulse.enter(Phase::Body);
        let body = timeout(self.limits.body_time, Limited::new(body, most).collect()).await;
        pulse.enter(Phase::Busy);
        match body {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLong(most)),
            Ok(Err(_)) => Err(Refusal::CutOff),
            Err(_) => Err(Refusal::TooSlow(self.limits.body_time)),
        }
    }

    /// Calls a method and writes down what comes of it.
    async fn called(&self, asker: &Requester, method: &str, params: Vec<ironlance_rpc::Value>) -> Made {
        let trace = self.journal.enabled(Level::Trace);
        if trace {
            self.journal.log(Level::Trace, &format!("XML-RPC method called: {method}()"));
        }
        let result = self.call(asker, method, params).await;
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
            Ok(told) => document::response(told),
            Err(fault) => Made::Whole(write::fault(&fault)),
        }
    }

    /// `/logtail/NAME[/CHANNEL]`, from behind `/logtail`.
    async fn process_log(&self, rest: &str) -> Reply {
        let Some((_, wanted)) = rest.split_once('/') else { return Reply::refused(&Refusal::NoLog) };
        let (name, channel) = wanted.split_once('/').unwrap_or((wanted, OutputChannel::Stdout.name()));
        let channels = [OutputChannel::Stdout, OutputChannel::Stderr];
        let Some(channel) = channels.into_iter().find(|known| known.name() == channel) else {
            return Reply::refused(&Refusal::NoLog);
        };
        self.tail(LogId::Process { name: name.to_owned(), channel }).await
    }

    async fn tail(&self, what: LogId) -> Reply {
        let Some(place) = self.reader.place(what).await else {
            return Reply::refused(&Refusal::Stopping);
        };
        let Ok(Some(path)) = place.path else { return Reply::refused(&Refusal::NoLog) };
        Tail::open(&path).map_or_else(|_| Reply::refused(&Refusal::UnreadableLog), Reply::tail)
    }

    /// What happens from now on; the head alone where only that is asked for.
    async fn events(&self, request: &Request<Incoming>) -> Reply {
        let Some(query) = unquoted(request.uri().query().unwrap_or_default()) else {
            return Reply::refused(&Refusal::OddQuery);
        };
        let kinds = match events::types_of(&query) {
            Ok(kinds) => kinds,
            Err(unknown) => return Reply::refused(&Refusal::NoEventType(unknown.to_string())),
        };
        if request.method() == Method::HEAD {
            return Reply::live(Content::Whole(Bytes::new()));
        }
        let (reply, answer) = oneshot::channel();
        if self.owner.send(Input::Subscribe { kinds, reply }).await.is_err() {
            return Reply::refused(&Refusal::Stopping);
        }
        match answer.await {
            Ok(happenings) => Reply::live(Content::Live(Box::new(Events::new(happenings)))),
            Err(_) => Reply::refused(&Refusal::Stopping),
        }
    }

    /// The line that the original's server writes for each request.
    fn trace_access(&self, line: &str, ends: Ends, reply: &Reply) {
        let (host, port) = ends
            .peer
            .map_or_else(|| ("localhost".to_owned(), 0), |peer| (peer.ip().to_string(), peer.port()));
        let size = match &reply.content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::InParts(document, ..) => document.left(),
            Content::Log(_) | Content::Live(_) => 0,
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

fn request_line(request: &Request<Incoming>) -> String {
    format!("{} {} {:?}", request.method(), request.uri(), request.version())
}

/// The answer with its head. One whose request was not read to its end is the last on its connection.
fn head(reply: Reply, pulse: Rc<Pulse>, unread: bool) -> Response<Answer> {
    let Reply { status, kind, content, modified, headers: own } = reply;
    let goes_on = matches!(content, Content::Log(_) | Content::Live(_));
    let mut response = Response::new(Answer::new(content, pulse));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("ironlance"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if goes_on {
        // A proxy in between must not collect what should be seen at once.
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    headers.extend(own);
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
    String::from_utf8(percent::decoded(path)).ok().map(Cow::Owned)
}
