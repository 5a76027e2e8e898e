//! What a page answers: [`PageResponse`], without the headers that all responses have.

use askama::Template;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, StatusCode};

use super::assets::Asset;
use crate::http::response_body;

const HTML: &str = "text/html;charset=utf-8";
const PLAIN: &str = "text/plain;charset=utf-8";

/// A response of the pages.
pub(in crate::http) struct PageResponse {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) content_type: &'static str,
    pub(in crate::http) body: PageBody,
    pub(in crate::http) headers: HeaderMap,
}

/// The body of a page's response.
pub(in crate::http) enum PageBody {
    Text(String),
    Fixed(&'static str),
    Stream(Box<dyn response_body::StreamBody>),
}

impl PageResponse {
    pub(super) fn html(page: &impl Template) -> Self {
        Self::html_with(StatusCode::OK, page)
    }

    /// A page with a status other than 200.
    pub(super) fn html_with(status: StatusCode, page: &impl Template) -> Self {
        match page.render() {
            Ok(text) => {
                Self { status, content_type: HTML, body: PageBody::Text(text), headers: page_headers() }
            }
            // Writing to a string does not fail, and our templates cannot fail otherwise.
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

    /// Redirects to a page, by GET.
    pub(super) fn back(to: &str) -> Self {
        let mut response = Self::plain(StatusCode::SEE_OTHER, "");
        response
            .headers
            .insert(LOCATION, HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("./")));
        response
    }

    /// A compiled-in file.
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

/// Only our own scripts, styles and forms; no framing; nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Headers of a page: it must not be cached.
fn page_headers() -> HeaderMap {
    let mut headers = headers_with("no-store");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers
}

/// Headers of an asset whose URL contains its version.
pub(super) fn immutable_asset_headers() -> HeaderMap {
    headers_with("private, max-age=31536000, immutable")
}

/// Headers of an asset whose URL does not change with its contents.
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
