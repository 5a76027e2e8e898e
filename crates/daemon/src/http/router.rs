//! From a request to its response: authentication, host name, the table of routes, and the access log.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::SystemTime;

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{Method, Request, Response};
use ironlance_core::log_level::Level;
use ironlance_core::text::url_encoding;

use super::connection::state::{ConnectionState, Phase};
use super::cross_site::CrossSitePolicy;
use super::error_response::ErrorResponse;
use super::reply::Reply;
use super::response_body::{Content, ResponseBody};
use super::service::{IncomingRequest, PeerInfo, Service};
use crate::request::LogId;

/// What is answered at a path. The first route that matches a request is taken.
#[derive(Debug)]
struct Route {
    methods: Methods,
    path: PathPattern,
    /// What requests from pages of other sites must not do here.
    cross_site: Option<CrossSitePolicy>,
    handler: Handler,
}

#[derive(Clone, Copy, Debug)]
enum Methods {
    Get,
    GetOrHead,
    Post,
    Any,
}

/// As in the original, most paths are recognised by their beginning.
#[derive(Clone, Copy, Debug)]
enum PathPattern {
    Exact(&'static str),
    Prefix(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Handler {
    Rpc,
    ProcessLog,
    MainLog,
    Events,
    Form,
    Page,
    Reject(ErrorResponse),
}

const ROUTES: &[Route] = {
    use CrossSitePolicy::{Call, Form, Stream};
    use Handler::Reject;
    use Methods::{Any, Get, GetOrHead, Post};
    use PathPattern::{Exact, Prefix};
    &[
        route(Post, Prefix("/RPC2"), Some(Call), Handler::Rpc),
        route(Any, Prefix("/RPC2"), None, Reject(ErrorResponse::RPC_NOT_POST)),
        route(Get, Prefix("/logtail"), Some(Stream), Handler::ProcessLog),
        route(Any, Prefix("/logtail"), Some(Stream), Reject(ErrorResponse::LOG_NOT_GET)),
        route(Get, Prefix("/mainlogtail"), Some(Stream), Handler::MainLog),
        route(Any, Prefix("/mainlogtail"), Some(Stream), Reject(ErrorResponse::LOG_NOT_GET)),
        route(GetOrHead, Exact("/events"), Some(Stream), Handler::Events),
        route(GetOrHead, Prefix("/events"), Some(Stream), Handler::Page),
        route(Any, Prefix("/events"), Some(Stream), Reject(ErrorResponse::PAGE_NOT_GET)),
        route(GetOrHead, Prefix("/live"), Some(Stream), Handler::Page),
        route(Any, Prefix("/live"), Some(Stream), Reject(ErrorResponse::PAGE_NOT_GET)),
        route(Post, Exact("/action"), Some(Form), Handler::Form),
        route(GetOrHead, Prefix(""), None, Handler::Page),
        route(Any, Prefix(""), None, Reject(ErrorResponse::PAGE_NOT_GET)),
    ]
};

const fn route(
    methods: Methods,
    path: PathPattern,
    cross_site: Option<CrossSitePolicy>,
    handler: Handler,
) -> Route {
    Route { methods, path, cross_site, handler }
}

impl Route {
    fn matches(&self, method: &Method, path: &str) -> bool {
        let is_method = match self.methods {
            Methods::Get => method == Method::GET,
            Methods::GetOrHead => method == Method::GET || method == Method::HEAD,
            Methods::Post => method == Method::POST,
            Methods::Any => true,
        };
        is_method
            && match self.path {
                PathPattern::Exact(exact) => path == exact,
                PathPattern::Prefix(prefix) => path.starts_with(prefix),
            }
    }
}

impl Service {
    /// The response to a request. It never fails: an error is a status or a fault.
    pub(super) async fn respond(
        &self,
        request: Request<Incoming>,
        peer: PeerInfo,
        state: Rc<ConnectionState>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        state.enter(Phase::Responding);
        let line = self
            .daemon_log
            .enabled(Level::Trace)
            .then(|| format!("{} {} {:?}", request.method(), request.uri(), request.version()));
        let (is_head, mut body_unread) = (request.method() == Method::HEAD, !request.body().is_end_stream());
        let reply = match self.admit(&request, &state) {
            Ok(path) => {
                let body_unread = &mut body_unread;
                self.dispatch(IncomingRequest { request, path, peer, state: &state, body_unread }).await
            }
            Err(error) => Err(error),
        };
        let mut reply = reply.and_then(|reply| self.within_budget(reply)).unwrap_or_else(Reply::from);
        if is_head && matches!(reply.content, Content::Stream(..)) {
            reply.content = Content::Whole(Bytes::new());
        }
        if self.authenticator.is_none() {
            state.mark_verified();
        }
        state.enter(match reply.content {
            _ if body_unread => Phase::Refused,
            Content::Stream(phase, _) => phase,
            Content::Whole(_) | Content::Xml { .. } => Phase::Responding,
        });
        if let Some(line) = line {
            self.trace_access(&line, peer, &reply);
        }
        Ok(reply.into_response(state, body_unread))
    }

    /// The decoded path of a request that may be looked at. Without the password nothing else of it is read.
    fn admit(&self, request: &Request<Incoming>, state: &ConnectionState) -> Result<String, ErrorResponse> {
        if let Some(authenticator) = &self.authenticator {
            authenticator.authenticate(request.headers())?;
            state.mark_verified();
        }
        if let Some(name) = self.cross_site.unknown_host(request) {
            return Err(self.refuse_unknown_host(&name));
        }
        String::from_utf8(url_encoding::decode_lossy(request.uri().path()))
            .map_err(|_| ErrorResponse::PATH_NOT_UTF8)
    }

    async fn dispatch(&self, incoming: IncomingRequest<'_>) -> Result<Reply, ErrorResponse> {
        let (method, headers) = (incoming.request.method(), incoming.request.headers());
        let route = ROUTES.iter().find(|route| route.matches(method, &incoming.path));
        let route = route.ok_or(ErrorResponse::NO_PAGE)?;
        if route.cross_site.is_some_and(|policy| !self.cross_site.allows(policy, headers)) {
            return match route.handler {
                Handler::Form => Ok(self.pages.actions.cross_site_refusal(headers)),
                _ => Err(ErrorResponse::CROSS_SITE),
            };
        }
        match &route.handler {
            Handler::Rpc => self.rpc(incoming).await,
            Handler::ProcessLog => self.follow_process_log(&incoming.path).await,
            Handler::MainLog => self.follow_log(LogId::Main).await,
            Handler::Events => self.follow_events(incoming.request.uri().query().unwrap_or_default()).await,
            Handler::Form => self.submit_form(incoming).await,
            Handler::Page => self.get_page(incoming).await,
            Handler::Reject(error) => Err(error.clone()),
        }
    }

    /// The reply, unless clients have too many bytes of responses to read.
    fn within_budget(&self, reply: Reply) -> Result<Reply, ErrorResponse> {
        let Content::Whole(bytes) = reply.content else { return Ok(reply) };
        let counted = self.response_budget.reserve_whole(bytes, self.limits.pending_response_bytes);
        let content = Content::Whole(counted.ok_or(ErrorResponse::TOO_MANY_PENDING_RESPONSES)?);
        Ok(Reply { content, ..reply })
    }

    /// The line that the original's server writes for each request.
    fn trace_access(&self, line: &str, peer: PeerInfo, reply: &Reply) {
        let (host, port) = peer
            .address
            .map_or_else(|| ("localhost".to_owned(), 0), |peer| (peer.ip().to_string(), peer.port()));
        let size = match &reply.content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Xml { left, .. } => *left,
            Content::Stream(..) => 0,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> &'static Route {
        ROUTES.iter().find(|route| route.matches(method, path)).unwrap()
    }

    #[test]
    fn each_route_has_its_handler_and_its_cross_site_policy() {
        use CrossSitePolicy::{Call, Form, Stream};
        let (get, head, post, put) = (Method::GET, Method::HEAD, Method::POST, Method::PUT);
        let reject = Handler::Reject;
        for (method, path, policy, handler) in [
            (&post, "/RPC2", Some(Call), Handler::Rpc),
            (&post, "/RPC2/", Some(Call), Handler::Rpc),
            (&get, "/RPC2", None, reject(ErrorResponse::RPC_NOT_POST)),
            (&get, "/logtail/a:b/stderr", Some(Stream), Handler::ProcessLog),
            (&head, "/logtail/a:b", Some(Stream), reject(ErrorResponse::LOG_NOT_GET)),
            (&get, "/mainlogtail", Some(Stream), Handler::MainLog),
            (&post, "/mainlogtail", Some(Stream), reject(ErrorResponse::LOG_NOT_GET)),
            (&get, "/events", Some(Stream), Handler::Events),
            (&head, "/events", Some(Stream), Handler::Events),
            (&get, "/events/", Some(Stream), Handler::Page),
            (&post, "/events", Some(Stream), reject(ErrorResponse::PAGE_NOT_GET)),
            (&get, "/live", Some(Stream), Handler::Page),
            (&post, "/action", Some(Form), Handler::Form),
            (&get, "/action", None, Handler::Page),
            (&post, "/action/", None, reject(ErrorResponse::PAGE_NOT_GET)),
            (&get, "/", None, Handler::Page),
            (&head, "/program.html", None, Handler::Page),
            (&put, "/", None, reject(ErrorResponse::PAGE_NOT_GET)),
            (&Method::OPTIONS, "*", None, reject(ErrorResponse::PAGE_NOT_GET)),
        ] {
            let route = found(method, path);
            assert_eq!((route.cross_site, &route.handler), (policy, &handler), "{method} {path}");
        }
    }

    #[test]
    fn whatever_streams_or_changes_something_has_a_cross_site_policy() {
        for route in ROUTES {
            let is_harmless = matches!(route.handler, Handler::Page | Handler::Reject(_));
            assert!(is_harmless || route.cross_site.is_some(), "{route:?}");
        }
    }
}
