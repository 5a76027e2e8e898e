//! The head of a page: what a browser may do with it, and what it may keep.

use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// Nothing but what is ours: no script, style or form of another site, no context around us, nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Of a page that is another one next time.
pub(super) fn of_page() -> HeaderMap {
    let mut headers = with("no-store");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers
}

/// Of what stays the same under its address.
pub(super) fn of_asset() -> HeaderMap {
    with("private, max-age=31536000, immutable")
}

/// Of an asset whose address does not change when it does.
pub(super) fn of_old_asset() -> HeaderMap {
    with("no-cache")
}

fn with(keeping: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keeping));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers
}
