//! Pages and their forms: connects the router with [`crate::http::pages`].

use hyper::Method;
use hyper::body::Bytes;

use crate::http::error_response::ErrorResponse;
use crate::http::pages::{MAX_FORM_BYTES, PageBody, PageResponse};
use crate::http::reply::Reply;
use crate::http::response_body::Content;
use crate::http::service::{IncomingRequest, Service};
use crate::requester::Requester;

impl Service {
    /// The page or asset at a path.
    pub(in crate::http) async fn get_page(&self, incoming: IncomingRequest<'_>) -> Reply {
        let IncomingRequest { request, path, .. } = incoming;
        let query = request.uri().query().unwrap_or_default();
        let page = self.pages.get(&path, query, request.headers()).await;
        page.map_or_else(
            || Reply::error(&ErrorResponse::NoPage),
            |page| self.page_reply(page, request.method()),
        )
    }

    /// `POST /action`: a form of a page.
    pub(in crate::http) async fn submit_form(&self, incoming: IncomingRequest<'_>) -> Reply {
        let IncomingRequest { request, peer, state, body_unread, .. } = incoming;
        if let Some(refusal) = self.pages.refusal(request.headers()) {
            return self.page_reply(refusal, &Method::POST);
        }
        let (head, body) = request.into_parts();
        let form = match self.read_body(body, MAX_FORM_BYTES, state).await {
            Ok(form) => form,
            Err(error) => return Reply::error(&error),
        };
        *body_unread = false;
        let requester = Requester::Page(self.client(peer));
        self.page_reply(self.pages.act(&requester, &head.headers, &form).await, &Method::POST)
    }

    /// The reply of a page; HEAD gets no stream.
    pub(in crate::http) fn page_reply(&self, page: PageResponse, method: &Method) -> Reply {
        let PageResponse { status, content_type, body, headers } = page;
        let content = match body {
            PageBody::Text(text) => {
                self.response_budget.reserve_text(text, self.limits.pending_response_bytes)
            }
            PageBody::Fixed(text) => Some(Content::Whole(Bytes::from_static(text.as_bytes()))),
            PageBody::Stream(_) if method == Method::HEAD => Some(Content::Whole(Bytes::new())),
            PageBody::Stream(stream) => Some(Content::Stream(stream)),
        };
        let Some(content) = content else { return Reply::error(&ErrorResponse::TooManyPendingResponses) };
        Reply { status, content_type, content, modified: None, headers }
    }
}
