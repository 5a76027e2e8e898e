//! What the pages answer, before it gets the head that all answers share.

use askama::Template;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

use super::assets::Asset;
use crate::http::response_body;

const HTML: &str = "text/html;charset=utf-8";
const PLAIN: &str = "text/plain;charset=utf-8";

/// An answer of the pages, without what all answers have.
pub(in crate::http) struct PageResponse {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) content_type: &'static str,
    pub(in crate::http) body: PageBody,
    pub(in crate::http) headers: HeaderMap,
}

/// What an answer consists of.
pub(in crate::http) enum PageBody {
    Text(String),
    Fixed(&'static str),
    Stream(Box<dyn response_body::StreamBody>),
}

impl PageResponse {
    pub(super) fn html(page: &impl Template) -> Self {
        Self::html_with(StatusCode::OK, page)
    }

    /// A page with another status than 200.
    pub(super) fn html_with(status: StatusCode, page: &impl Template) -> Self {
        match page.render() {
            Ok(text) => {
                Self { status, content_type: HTML, body: PageBody::Text(text), headers: page_headers() }
            }
            // Writing to a string does not fail, and our templates have no other way to.
            Err(_) => Self::plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot render the page"),
        }
    }

    pub(super) fn plain(status: StatusCode, words: &str) -> Self {
        Self {
            status,
            content_type: PLAIN,
            body: PageBody::Text(format!("{words}\n")),
            headers: page_headers(),
        }
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
        Self {
            status: StatusCode::OK,
            content_type: asset.content_type,
            body: PageBody::Fixed(asset.text),
            headers,
        }
    }

    /// Server-sent events.
    pub(super) fn events(live: Box<dyn response_body::StreamBody>) -> Self {
        let (status, headers) = (StatusCode::OK, page_headers());
        Self { status, content_type: "text/event-stream", body: PageBody::Stream(live), headers }
    }
}

/// Nothing but what is ours: no script, style or form of another site, no context around us, nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Of a page that is another one next time.
fn page_headers() -> HeaderMap {
    let mut headers = headers_with("no-store");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers
}

/// Of what stays the same under its address.
pub(super) fn immutable_asset_headers() -> HeaderMap {
    headers_with("private, max-age=31536000, immutable")
}

/// Of an asset whose address does not change when it does.
pub(super) fn revalidated_asset_headers() -> HeaderMap {
    headers_with("no-cache")
}

fn headers_with(keeping: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keeping));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
}
