//! Pages and their forms: connects the router with [`crate::http::pages`].

use crate::http::error_response::ErrorResponse;
use crate::http::pages::MAX_FORM_BYTES;
use crate::http::reply::Reply;
use crate::http::service::{IncomingRequest, Service};
use crate::requester::Requester;

impl Service {
    /// The page or asset at a path.
    pub(in crate::http) async fn get_page(
        &self,
        incoming: IncomingRequest<'_>,
    ) -> Result<Reply, ErrorResponse> {
        let IncomingRequest { request, path, .. } = incoming;
        let query = request.uri().query().unwrap_or_default();
        self.pages.get(&path, query, request.headers()).await.ok_or(ErrorResponse::NO_PAGE)
    }

    /// `POST /action`: a form of a page.
    pub(in crate::http) async fn submit_form(
        &self,
        incoming: IncomingRequest<'_>,
    ) -> Result<Reply, ErrorResponse> {
        let IncomingRequest { request, peer, state, body_unread, .. } = incoming;
        if let Some(refusal) = self.pages.actions.refusal(request.headers()) {
            return Ok(refusal);
        }
        let (head, body) = request.into_parts();
        let form = self.read_body(body, MAX_FORM_BYTES, state).await?;
        *body_unread = false;
        let requester = Requester::Page(self.client(peer));
        Ok(self.pages.act(&requester, &head.headers, &form).await)
    }
}
