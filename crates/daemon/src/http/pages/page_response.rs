//! The replies of pages: constructors of [`Reply`] with the headers that pages have.

use askama::Template;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

use super::assets::Asset;
use crate::http::connection::state::Phase;
use crate::http::reply::Reply;
use crate::http::response_body::{Content, StreamBody};

impl Reply {
    pub(super) fn html(page: &impl Template) -> Self {
        match page.render() {
            Ok(text) => Self::page("text/html;charset=utf-8", Content::Whole(text.into())),
            // Writing to a string does not fail, and our templates cannot fail otherwise.
            Err(_) => Self::plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the page"),
        }
    }

    pub(super) fn plain(status: StatusCode, words: &str) -> Self {
        let content = Content::Whole(format!("{words}\n").into());
        Self { status, ..Self::page("text/plain;charset=utf-8", content) }
    }

    /// Redirects to a page, by GET.
    pub(super) fn back(to: &str) -> Self {
        let mut reply = Self::plain(StatusCode::SEE_OTHER, "");
        let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("./"));
        reply.headers.insert(LOCATION, to);
        reply
    }

    /// A compiled-in file, with its Cache-Control.
    pub(super) fn asset(asset: Asset, caching: &'static str) -> Self {
        let content = Content::Whole(Bytes::from_static(asset.text.as_bytes()));
        Self { headers: headers_with(caching), ..Self::new(asset.content_type, content) }
    }

    /// Live updates, as server-sent events.
    pub(super) fn live(updates: Box<dyn StreamBody>) -> Self {
        Self::page("text/event-stream", Content::Stream(Phase::EventStream, updates.next()))
    }

    /// Without caching.
    fn page(content_type: &'static str, content: Content) -> Self {
        let mut headers = headers_with("no-store");
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        Self { headers, ..Self::new(content_type, content) }
    }
}

/// Only our own scripts, styles and forms; no framing; nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn headers_with(keeping: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keeping));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
}
