//! What a route answers: [`Reply`], a response before it gets the headers that all responses have.

use std::rc::Rc;

use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, LAST_MODIFIED, SERVER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};

use super::connection::state::{ConnectionState, Phase};
use super::error_response::ErrorResponse;
use super::log_tail::LogTail;
use super::response_body::{Content, ResponseBody, StreamBody};

/// A response without the headers that all responses have.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) content: Content,
    /// Headers of this response alone.
    pub(super) headers: HeaderMap,
}

impl Reply {
    pub(super) fn log_tail(tail: LogTail) -> Self {
        let modified = tail.modified().ok().and_then(|when| httpdate::fmt_http_date(when).parse().ok());
        let headers = HeaderMap::from_iter(modified.map(|when| (LAST_MODIFIED, when)));
        let content = Content::Stream(Phase::LogTail, Box::new(tail).next());
        Self { headers, ..Self::new("text/plain;charset=utf-8", content) }
    }

    pub(super) fn event_stream(events: Box<dyn StreamBody>) -> Self {
        let headers = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ]);
        Self { headers, ..Self::new("text/event-stream", Content::Stream(Phase::EventStream, events.next())) }
    }

    pub(super) fn new(content_type: &'static str, content: Content) -> Self {
        Self { status: StatusCode::OK, content_type, content, headers: HeaderMap::new() }
    }

    /// The whole response. If the request's body was not read to its end, the connection is closed after it.
    pub(super) fn into_response(
        self,
        state: Rc<ConnectionState>,
        body_unread: bool,
    ) -> Response<ResponseBody> {
        let is_stream = matches!(self.content, Content::Stream(..));
        let mut response = Response::new(ResponseBody { content: self.content, state });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("ironlance"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if is_stream {
            // A reverse proxy must not buffer what is to be seen at once.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        headers.extend(self.headers);
        let is_unauthorized = self.status == StatusCode::UNAUTHORIZED;
        if is_unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"default\""));
        }
        if body_unread || is_unauthorized {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<ErrorResponse> for Reply {
    fn from(error: ErrorResponse) -> Self {
        let content = Content::Whole(error.line().into());
        Self { status: error.status, ..Self::new("text/plain;charset=utf-8", content) }
    }
}
