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
use ironlance_core::event::OutputChannel;
use ironlance_core::log_level::Level;
use ironlance_core::text::python::repr;
use ironlance_rpc::{read, write};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::DaemonLog;
use super::access::Access;
use super::auth::{AuthOutcome, Authenticator};
use super::connection::state::ConnectionState;
use super::connection::state::Phase;
use super::cross_site::{CrossSiteCheck, CrossSitePolicy, MachineNames};
use super::error_response::ErrorResponse;
use super::events::{self, EventsBody};
use super::limits::HttpLimits;
use super::log_tail::LogTail;
use super::methods::Interfaces;
use super::outboxes::OutboxReader;
use super::pages::{self, PageResponse, Pages};
use super::percent;
use super::response_body::{Content, ResponseBody, ResponseBudget};
use super::xml_response::{self, LogReader, XmlResponse};
use crate::inbox::Input;
use crate::request::LogId;
use crate::requester::{ClientPeer, RequestSource, Requester};

/// So much of a request that cannot be read is shown in the log, in characters.
const MAX_SHOWN_CHARS: usize = 400;

/// Answers that go on for as long as somebody reads them.
const STREAMING: [&str; 4] = ["/logtail", "/mainlogtail", "/events", "/live"];

/// What all connections of one server share.
pub struct Service {
    pub(super) section: String,
    pub(super) access: Access,
    pub(super) interfaces: Interfaces,
    pub(super) owner: mpsc::Sender<Input>,
    pub(super) daemon_log: Rc<dyn DaemonLog>,
    pub(super) limits: HttpLimits,
    pub(super) reader: Rc<LogReader>,
    pub(super) outbox_reader: OutboxReader,
    authenticator: Option<Authenticator>,
    /// Whose password opens the lock.
    user: Option<Rc<str>>,
    cross_site: CrossSiteCheck,
    /// Whether the log knows that somebody came by a name that is none of ours.
    logged_unknown_host: Cell<bool>,
    response_budget: ResponseBudget,
    pages: Pages,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PeerInfo {
    pub(super) address: Option<SocketAddr>,
    /// On a unix socket, the process that connected, by the kernel's word: its number, if it can be seen, and its user.
    pub(super) credentials: Option<(Option<u32>, u32)>,
}

impl PeerInfo {
    fn client(self, user: Option<&Rc<str>>) -> RequestSource {
        let peer = match (self.address, self.credentials) {
            (Some(address), _) => ClientPeer::Remote(address),
            (None, Some((pid, uid))) => ClientPeer::Local { pid, uid, command: None },
            (None, None) => ClientPeer::Unknown,
        };
        RequestSource { peer, user: user.cloned() }
    }
}

/// An answer before it gets the head that all answers share.
struct Reply {
    status: StatusCode,
    content_type: &'static str,
    content: Content,
    modified: Option<SystemTime>,
    /// What this answer alone has in its head.
    headers: HeaderMap,
}

impl Reply {
    fn error(error: &ErrorResponse) -> Self {
        Self::text(error.status(), error.line())
    }

    /// An answer in plain words.
    fn text(status: StatusCode, text: impl Into<String>) -> Self {
        let content = Content::Whole(Bytes::from(text.into()));
        Self {
            status,
            content_type: "text/plain;charset=utf-8",
            content,
            modified: None,
            headers: HeaderMap::new(),
        }
    }

    fn xml(content: Content) -> Self {
        Self { content_type: "text/xml", content, ..Self::text(StatusCode::OK, "") }
    }

    fn log_tail(tail: LogTail) -> Self {
        let modified = tail.modified().ok();
        Self { content: Content::LogTail(Box::new(tail)), modified, ..Self::text(StatusCode::OK, "") }
    }

    fn event_stream(content: Content) -> Self {
        let headers = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ]);
        Self { content_type: "text/event-stream", content, headers, ..Self::text(StatusCode::OK, "") }
    }
}

impl Service {
    /// The service of a server whose clients have these access.
    pub(super) fn new(
        server: &HttpServer,
        access: Access,
        interfaces: Interfaces,
        owner: mpsc::Sender<Input>,
        daemon_log: Rc<dyn DaemonLog>,
        limits: HttpLimits,
    ) -> Self {
        let authenticator = server.credentials.as_ref().map(Authenticator::new);
        let reader = Rc::new(LogReader::new(owner.clone()));
        let pages = Pages::new(owner.clone(), Rc::clone(&daemon_log), access, Rc::clone(&reader));
        let (section, response_budget) = (server.section.clone(), ResponseBudget::default());
        let outbox_reader = OutboxReader::new(owner.clone());
        let user = server.credentials.as_ref().map(|known| known.username.as_str().into());
        let (cross_site, logged_unknown_host) =
            (CrossSiteCheck::new(server, &MachineNames::detect()), Cell::new(false));
        Self {
            section,
            access,
            interfaces,
            owner,
            daemon_log,
            limits,
            reader,
            outbox_reader,
            authenticator,
            user,
            cross_site,
            logged_unknown_host,
            response_budget,
            pages,
        }
    }

    /// The whole answer to a request. It never fails: what goes wrong is a status or a fault.
    pub(super) async fn respond(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        state: Rc<ConnectionState>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        state.enter(Phase::Responding);
        let line = self.daemon_log.enabled(Level::Trace).then(|| request_line(&request));
        let mut unread = !request.body().is_end_stream();
        let route = self.reply(request, peer, &state, &mut unread).await;
        if self.authenticator.is_none() {
            state.mark_verified();
        }
        state.enter(match route.content {
            _ if unread => Phase::Refused,
            Content::LogTail(_) => Phase::LogTail,
            Content::Stream(_) => Phase::EventStream,
            Content::Whole(_) | Content::Xml(..) => Phase::Responding,
        });
        if let Some(line) = line {
            self.trace_access(&line, peer, &route);
        }
        Ok(into_response(route, state, unread))
    }

    async fn reply(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        state: &ConnectionState,
        unread: &mut bool,
    ) -> Reply {
        let error = match self
            .authenticator
            .as_ref()
            .map_or(AuthOutcome::Granted, |lock| lock.authenticate(request.headers()))
        {
            AuthOutcome::Granted => None,
            AuthOutcome::Refused => Some(ErrorResponse::Unauthorized),
            AuthOutcome::Malformed => Some(ErrorResponse::MalformedAuthorization),
        };
        // Whoever shows no password is told so before anything else of the request is read.
        if let Some(error) = error {
            return Reply::error(&error);
        }
        if self.authenticator.is_some() {
            state.mark_verified();
        }
        if let Some(name) = self.cross_site.unknown_host(&request) {
            return self.refuse_unknown_host(name);
        }
        // As in the original, a path is taken for what it begins with.
        let Some(path) = percent_decoded(request.uri().path()) else {
            return Reply::error(&ErrorResponse::PathNotUtf8);
        };
        if path.starts_with("/RPC2") {
            return self.rpc(request, peer, state, unread).await;
        }
        let is_get = request.method() == Method::GET;
        if STREAMING.iter().any(|followed| path.starts_with(followed))
            && !self.cross_site.allows(CrossSitePolicy::Stream, request.headers())
        {
            return Reply::error(&ErrorResponse::CrossSite);
        }
        if let Some(rest) = path.strip_prefix("/logtail") {
            let refused = || Reply::error(&ErrorResponse::LogNotGet);
            return if is_get { self.follow_process_log(rest).await } else { refused() };
        }
        if path.starts_with("/mainlogtail") {
            return if is_get {
                self.follow_log(LogId::Main).await
            } else {
                Reply::error(&ErrorResponse::LogNotGet)
            };
        }
        if path == "/events" && (is_get || request.method() == Method::HEAD) {
            return self.follow_events(&request).await;
        }
        if path == "/action" && request.method() == Method::POST {
            return self.action(request, peer, state, unread).await;
        }
        if !is_get && request.method() != Method::HEAD {
            return Reply::error(&ErrorResponse::PageNotGet);
        }
        let query = request.uri().query().unwrap_or_default();
        let page = self.pages.get(&path, query, request.headers()).await;
        page.map_or_else(|| Reply::error(&ErrorResponse::NoPage), |page| self.page(page, request.method()))
    }

    /// The answer to a client that calls us by a name which somebody else may have pointed at us.
    fn refuse_unknown_host(&self, name: String) -> Reply {
        let section = &self.section;
        if !self.logged_unknown_host.replace(true) {
            let line = format!(
                "[{section}] refused a client that called it {name:?} (further ones are not told): it has no password \
                 and is not known by that name; if it is, add the name to allowed_hosts in [{section}]"
            );
            self.daemon_log.log(Level::Warn, &line);
        }
        Reply::error(&ErrorResponse::UnknownHost { name, section: section.clone() })
    }

    /// What a page's buttons ask for.
    async fn action(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        state: &ConnectionState,
        unread: &mut bool,
    ) -> Reply {
        if let Some(error) = self.pages.refusal(request.headers(), &self.cross_site) {
            return self.page(error, &Method::POST);
        }
        let (head, read_body) = request.into_parts();
        let form = match self.body(read_body, pages::FORM, state).await {
            Ok(form) => form,
            Err(error) => return Reply::error(&error),
        };
        *unread = false;
        let asker = Requester::Page(peer.client(self.user.as_ref()));
        self.page(self.pages.act(&asker, &head.headers, &form).await, &Method::POST)
    }

    /// An answer of the pages; those that go on have only a head where only that is asked for.
    fn page(&self, page: PageResponse, method: &Method) -> Reply {
        let PageResponse { status, kind, body, headers } = page;
        let content = match body {
            pages::PageBody::Text(text) => {
                self.response_budget.reserve_text(text, self.limits.pending_response_bytes)
            }
            pages::PageBody::Fixed(text) => Some(Content::Whole(Bytes::from_static(text.as_bytes()))),
            pages::PageBody::Live(_) if method == Method::HEAD => Some(Content::Whole(Bytes::new())),
            pages::PageBody::Live(live) => Some(Content::Stream(live)),
        };
        let Some(content) = content else { return Reply::error(&ErrorResponse::TooManyPendingResponses) };
        Reply { status, content_type: kind, content, modified: None, headers }
    }

    async fn rpc(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        state: &ConnectionState,
        unread: &mut bool,
    ) -> Reply {
        if request.method() != Method::POST {
            return Reply::error(&ErrorResponse::RpcNotPost);
        }
        let headers = request.headers();
        if !self.cross_site.allows(CrossSitePolicy::Call, headers) {
            return Reply::error(&ErrorResponse::CrossSite);
        }
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Reply::error(&ErrorResponse::LengthRequired);
        }
        let data = match self.body(request.into_body(), self.limits.body_bytes, state).await {
            Ok(data) => data,
            Err(error) => return Reply::error(&error),
        };
        *unread = false;
        match read::request(&data) {
            Ok((method, params)) => {
                let asker = Requester::Client(peer.client(self.user.as_ref()));
                let content = match self.call_traced(&asker, &method, params).await {
                    XmlResponse::Whole(xml) => {
                        self.response_budget.reserve_text(xml, self.limits.pending_response_bytes)
                    }
                    XmlResponse::Streamed(document) => self.response_budget.reserve_xml(
                        document,
                        &self.reader,
                        self.limits.pending_response_bytes,
                    ),
                };
                content.map_or_else(|| Reply::error(&ErrorResponse::TooManyPendingResponses), Reply::xml)
            }
            Err(why) => {
                let shown: String = String::from_utf8_lossy(&data).chars().take(MAX_SHOWN_CHARS).collect();
                let complaint = match &why {
                    read::ReadError::NoMethod => "no method name",
                    _ => "unmarshallable",
                };
                let line = format!("XML-RPC request data {} is invalid: {complaint}", repr(&shown));
                self.daemon_log.log(Level::Error, &line);
                // The original has no such line, so it stays where only those look who want to know.
                self.daemon_log.log(Level::Debug, &why.to_string());
                Reply::error(&ErrorResponse::InvalidRpc(why.to_string()))
            }
        }
    }

    /// The whole body of a request, of `most` bytes, or why there is none.
    async fn body(
        &self,
        body: Incoming,
        most: usize,
        state: &ConnectionState,
    ) -> Result<Bytes, ErrorResponse> {
        if body.size_hint().lower() > most as u64 {
            return Err(ErrorResponse::BodyTooLong(most));
        }
        state.enter(Phase::Body);
        let body = timeout(self.limits.body_time, Limited::new(body, most).collect()).await;
        state.enter(Phase::Responding);
        match body {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ErrorResponse::BodyTooLong(most)),
            Ok(Err(_)) => Err(ErrorResponse::BodyIncomplete),
            Err(_) => Err(ErrorResponse::BodyTimeout(self.limits.body_time)),
        }
    }

    /// Calls a method and writes down what comes of it.
    async fn call_traced(
        &self,
        asker: &Requester,
        method: &str,
        params: Vec<ironlance_rpc::Value>,
    ) -> XmlResponse {
        let trace = self.daemon_log.enabled(Level::Trace);
        if trace {
            self.daemon_log.log(Level::Trace, &format!("XML-RPC method called: {method}()"));
        }
        let result = self.call(asker, method, params).await;
        if trace {
            self.daemon_log.log(
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
            Ok(told) => xml_response::response(told),
            Err(fault) => XmlResponse::Whole(write::fault(&fault)),
        }
    }

    /// `/logtail/NAME[/CHANNEL]`, from behind `/logtail`.
    async fn follow_process_log(&self, rest: &str) -> Reply {
        let Some((_, wanted)) = rest.split_once('/') else { return Reply::error(&ErrorResponse::NoLog) };
        let (name, channel) = wanted.split_once('/').unwrap_or((wanted, OutputChannel::Stdout.name()));
        let channels = [OutputChannel::Stdout, OutputChannel::Stderr];
        let Some(channel) = channels.into_iter().find(|known| known.name() == channel) else {
            return Reply::error(&ErrorResponse::NoLog);
        };
        self.follow_log(LogId::Process { name: name.to_owned(), channel }).await
    }

    async fn follow_log(&self, what: LogId) -> Reply {
        let Some(place) = self.reader.locate(what).await else {
            return Reply::error(&ErrorResponse::Stopping);
        };
        let Ok(Some(path)) = place.path else { return Reply::error(&ErrorResponse::NoLog) };
        LogTail::open(&path).map_or_else(|_| Reply::error(&ErrorResponse::UnreadableLog), Reply::log_tail)
    }

    /// What happens from now on; the head alone where only that is asked for.
    async fn follow_events(&self, request: &Request<Incoming>) -> Reply {
        let Some(query) = percent_decoded(request.uri().query().unwrap_or_default()) else {
            return Reply::error(&ErrorResponse::QueryNotUtf8);
        };
        let kinds = match events::requested_kinds(&query) {
            Ok(kinds) => kinds,
            Err(unknown) => return Reply::error(&ErrorResponse::UnknownEventType(unknown.to_string())),
        };
        if request.method() == Method::HEAD {
            return Reply::event_stream(Content::Whole(Bytes::new()));
        }
        let (reply, answer) = oneshot::channel();
        if self.owner.send(Input::Subscribe { kinds, reply }).await.is_err() {
            return Reply::error(&ErrorResponse::Stopping);
        }
        match answer.await {
            Ok(happenings) => Reply::event_stream(Content::Stream(Box::new(EventsBody::new(happenings)))),
            Err(_) => Reply::error(&ErrorResponse::Stopping),
        }
    }

    /// The line that the original's server writes for each request.
    fn trace_access(&self, line: &str, peer: PeerInfo, reply: &Reply) {
        let (host, port) = peer
            .address
            .map_or_else(|| ("localhost".to_owned(), 0), |peer| (peer.ip().to_string(), peer.port()));
        let size = match &reply.content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Xml(document, ..) => document.left(),
            Content::LogTail(_) | Content::Stream(_) => 0,
        };
        // "Mon, 23 Nov 2026 13:11:27 GMT" to "23/Nov/2026:13:11:27 +0000".
        let now = httpdate::fmt_http_date(SystemTime::now());
        let mut words = now.split(' ').skip(1);
        let mut next = || words.next().unwrap_or_default();
        let (day, month, year, time) = (next(), next(), next(), next());
        let status = reply.status.as_u16();
        self.daemon_log.log(
            Level::Trace,
            &format!("{host}:{port} - - [{day}/{month}/{year}:{time} +0000] \"{line}\" {status} {size}"),
        );
    }
}

fn request_line(request: &Request<Incoming>) -> String {
    format!("{} {} {:?}", request.method(), request.uri(), request.version())
}

/// The answer with its head. One whose request was not read to its end is the last on its connection.
fn into_response(reply: Reply, state: Rc<ConnectionState>, unread: bool) -> Response<ResponseBody> {
    let Reply { status, content_type: kind, content, modified, headers: own } = reply;
    let goes_on = matches!(content, Content::LogTail(_) | Content::Stream(_));
    let mut response = Response::new(ResponseBody::new(content, state));
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
fn percent_decoded(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains('%') {
        return Some(path.into());
    }
    String::from_utf8(percent::decoded(path)).ok().map(Cow::Owned)
}
