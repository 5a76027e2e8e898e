//! What the pages answer, before it gets the head that all answers share.

use askama::Template;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode};

use super::assets::Asset;
use super::head;
use crate::http::response_body;

const HTML: &str = "text/html;charset=utf-8";
const PLAIN: &str = "text/plain;charset=utf-8";

/// An answer of the pages, without what all answers have.
pub(in crate::http) struct PageResponse {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) kind: &'static str,
    pub(in crate::http) body: PageBody,
    pub(in crate::http) headers: HeaderMap,
}

/// What an answer consists of.
pub(in crate::http) enum PageBody {
    Text(String),
    Fixed(&'static str),
    Live(Box<dyn response_body::StreamBody>),
}

impl PageResponse {
    pub(super) fn html(page: &impl Template) -> Self {
        Self::html_with(StatusCode::OK, page)
    }

    /// A page with another status than 200.
    pub(super) fn html_with(status: StatusCode, page: &impl Template) -> Self {
        match page.render() {
            Ok(text) => Self { status, kind: HTML, body: PageBody::Text(text), headers: head::of_page() },
            // Writing to a string does not fail, and our templates have no other way to.
            Err(_) => Self::plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the page"),
        }
    }

    pub(super) fn plain(status: StatusCode, words: &str) -> Self {
        Self { status, kind: PLAIN, body: PageBody::Text(format!("{words}\n")), headers: head::of_page() }
    }

    /// Back to a page, by GET.
    pub(super) fn back(to: &str) -> Self {
        let mut response = Self::plain(StatusCode::SEE_OTHER, "");
        response
            .headers
            .insert(LOCATION, HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("./")));
        response
    }

    /// A file of ours, under an address that changes when it does, or under another.
    pub(super) fn asset(asset: Asset, headers: HeaderMap) -> Self {
        Self { status: StatusCode::OK, kind: asset.kind, body: PageBody::Fixed(asset.text), headers }
    }

    /// Server-sent events.
    pub(super) fn events(live: Box<dyn response_body::StreamBody>) -> Self {
        let (status, headers) = (StatusCode::OK, head::of_page());
        Self { status, kind: "text/event-stream", body: PageBody::Live(live), headers }
    }
}
