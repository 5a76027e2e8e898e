//! Error responses: [`ErrorResponse`], a status and one line that says why.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ErrorResponse {
    pub(super) status: StatusCode,
    reason: Cow<'static, str>,
}

/// At most this much of text from a request is shown, in characters.
const MAX_SHOWN_CHARS: usize = 200;

impl ErrorResponse {
    /// The credentials are missing or wrong.
    pub(super) const UNAUTHORIZED: Self =
        Self::new(StatusCode::UNAUTHORIZED, "this server wants a user name and a password");
    /// The Authorization header cannot be decoded.
    pub(super) const MALFORMED_AUTHORIZATION: Self =
        Self::new(StatusCode::BAD_REQUEST, "the Authorization header cannot be read");
    /// The percent-decoded path is not UTF-8.
    pub(super) const PATH_NOT_UTF8: Self = Self::new(StatusCode::BAD_REQUEST, "the path is no UTF-8");
    /// The percent-decoded query is not UTF-8.
    pub(super) const QUERY_NOT_UTF8: Self = Self::new(StatusCode::BAD_REQUEST, "the query is no UTF-8");
    /// `/RPC2` with a method other than POST.
    pub(super) const RPC_NOT_POST: Self = Self::new(StatusCode::BAD_REQUEST, "calls are made by POST");
    /// A log with a method other than GET.
    pub(super) const LOG_NOT_GET: Self = Self::new(StatusCode::BAD_REQUEST, "logs are read by GET");
    /// A page with a method other than GET or HEAD.
    pub(super) const PAGE_NOT_GET: Self = Self::new(StatusCode::BAD_REQUEST, "pages are read by GET");
    /// A call with neither Content-Length nor chunks.
    pub(super) const LENGTH_REQUIRED: Self =
        Self::new(StatusCode::LENGTH_REQUIRED, "the length of the call is missing");
    /// The body is shorter than announced, or its chunks are malformed.
    pub(super) const BODY_INCOMPLETE: Self = Self::new(StatusCode::BAD_REQUEST, "the body is not whole");
    /// The request comes from a page of another site.
    pub(super) const CROSS_SITE: Self =
        Self::new(StatusCode::FORBIDDEN, "this comes from a page of another site");
    /// There is no page at this path.
    pub(super) const NO_PAGE: Self = Self::new(StatusCode::NOT_FOUND, "there is no such page");
    /// No such process or channel, or its output goes to no file.
    pub(super) const NO_LOG: Self =
        Self::new(StatusCode::NOT_FOUND, "there is no such process, or its output goes to no file");
    /// The log file cannot be opened.
    pub(super) const UNREADABLE_LOG: Self =
        Self::new(StatusCode::NOT_FOUND, "the log cannot be opened, or is no plain file");
    /// Too many bytes of responses have not been read.
    pub(super) const TOO_MANY_PENDING_RESPONSES: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many answers have not been taken yet");
    /// All connection slots are taken.
    pub(super) const TOO_MANY_CONNECTIONS: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
    /// The daemon is stopping.
    pub(super) const STOPPING: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "supervisord stops");

    const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason: Cow::Borrowed(reason) }
    }

    fn with(status: StatusCode, reason: String) -> Self {
        Self { status, reason: Cow::Owned(reason) }
    }

    /// The body is longer than this many bytes.
    pub(super) fn body_too_long(most: usize) -> Self {
        Self::with(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {most} bytes"))
    }

    /// The body did not arrive in this time.
    pub(super) fn body_timeout(time: Duration) -> Self {
        let reason = format!("the body has not come within {} seconds", time.as_secs());
        Self::with(StatusCode::REQUEST_TIMEOUT, reason)
    }

    /// The body is not an XML-RPC call; with the parser's message.
    pub(super) fn invalid_rpc(why: &str) -> Self {
        Self::with(StatusCode::BAD_REQUEST, format!("this is no XML-RPC call: {}", short(why)))
    }

    /// There is no such event type; with the message.
    pub(super) fn unknown_event_type(why: &str) -> Self {
        Self::with(StatusCode::BAD_REQUEST, short(why))
    }

    /// The request is for a host name that is not known; with the section to add it to.
    pub(super) fn unknown_host(name: &str, section: &str) -> Self {
        let reason = format!(
            "this server is not known as {:?}; if it is, add the name to allowed_hosts in [{section}], or set a \
             password there",
            short(name)
        );
        Self::with(StatusCode::FORBIDDEN, reason)
    }

    /// The body: one line with its line feed.
    pub(super) fn line(&self) -> String {
        let (code, phrase) = (self.status.as_u16(), self.status.canonical_reason().unwrap_or("Error"));
        let reason: String = self.reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{code} {phrase}: {reason}\n")
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_that_begins_with_its_status() {
        let long = || "a\r\nb\u{1b}".repeat(1000);
        for error in [
            ErrorResponse::UNAUTHORIZED,
            ErrorResponse::body_too_long(8),
            ErrorResponse::body_timeout(Duration::from_secs(60)),
            ErrorResponse::invalid_rpc(&long()),
            ErrorResponse::unknown_event_type(&long()),
            ErrorResponse::unknown_host(&long(), "inet_http_server"),
            ErrorResponse::NO_LOG,
            ErrorResponse::STOPPING,
        ] {
            let line = error.line();
            assert!(line.starts_with(&format!("{}: ", error.status)), "{line}");
            assert!(line.len() < 1500 && line.matches('\n').count() == 1 && line.ends_with('\n'), "{line}");
            assert!(!line.trim_end().contains(char::is_control), "{line}");
        }
    }
}
