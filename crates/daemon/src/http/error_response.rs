//! Error responses: [`ErrorResponse`], a status and one line that says why.

use std::time::Duration;

use hyper::StatusCode;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ErrorResponse {
    /// The credentials are missing or wrong.
    Unauthorized,
    /// The Authorization header cannot be decoded.
    MalformedAuthorization,
    /// The percent-decoded path is not UTF-8.
    PathNotUtf8,
    /// The percent-decoded query is not UTF-8.
    QueryNotUtf8,
    /// `/RPC2` with a method other than POST.
    RpcNotPost,
    /// A log with a method other than GET.
    LogNotGet,
    /// A page with a method other than GET or HEAD.
    PageNotGet,
    /// A call with neither Content-Length nor chunks.
    LengthRequired,
    /// The body is longer than this many bytes.
    BodyTooLong(usize),
    /// The body did not arrive in this time.
    BodyTimeout(Duration),
    /// The body is shorter than announced, or its chunks are malformed.
    BodyIncomplete,
    /// The body is not an XML-RPC call; with the parser's message.
    InvalidRpc(String),
    /// There is no such event type; with the message.
    UnknownEventType(String),
    /// The request comes from a page of another site.
    CrossSite,
    /// The request is for a host name that is not known; with the section to add it to.
    UnknownHost { name: String, section: String },
    /// There is no page at this path.
    NoPage,
    /// No such process or channel, or its output goes to no file.
    NoLog,
    /// The log file cannot be opened.
    UnreadableLog,
    /// Too many bytes of responses have not been read.
    TooManyPendingResponses,
    /// All connection slots are taken.
    TooManyConnections,
    /// The daemon is stopping.
    Stopping,
}

/// At most this much of text from a request is shown, in characters.
const MAX_SHOWN_CHARS: usize = 200;

impl ErrorResponse {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::MalformedAuthorization
            | Self::PathNotUtf8
            | Self::QueryNotUtf8
            | Self::RpcNotPost
            | Self::LogNotGet
            | Self::PageNotGet
            | Self::BodyIncomplete
            | Self::InvalidRpc(_)
            | Self::UnknownEventType(_) => StatusCode::BAD_REQUEST,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::BodyTooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::CrossSite | Self::UnknownHost { .. } => StatusCode::FORBIDDEN,
            Self::NoPage | Self::NoLog | Self::UnreadableLog => StatusCode::NOT_FOUND,
            Self::TooManyPendingResponses | Self::TooManyConnections | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The body: one line with its line feed.
    pub(super) fn line(&self) -> String {
        let status = self.status();
        let (code, phrase) = (status.as_u16(), status.canonical_reason().unwrap_or("Error"));
        let reason: String = self.reason().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{code} {phrase}: {reason}\n")
    }

    fn reason(&self) -> String {
        let short = |text: &str| text.chars().take(MAX_SHOWN_CHARS).collect::<String>();
        match self {
            Self::Unauthorized => "this server wants a user name and a password".to_owned(),
            Self::MalformedAuthorization => "the Authorization header cannot be read".to_owned(),
            Self::PathNotUtf8 => "the path is no UTF-8".to_owned(),
            Self::QueryNotUtf8 => "the query is no UTF-8".to_owned(),
            Self::RpcNotPost => "calls are made by POST".to_owned(),
            Self::LogNotGet => "logs are read by GET".to_owned(),
            Self::PageNotGet => "pages are read by GET".to_owned(),
            Self::LengthRequired => "the length of the call is missing".to_owned(),
            Self::BodyTooLong(most) => format!("the body is longer than {most} bytes"),
            Self::BodyTimeout(time) => format!("the body has not come within {} seconds", time.as_secs()),
            Self::BodyIncomplete => "the body is not whole".to_owned(),
            Self::InvalidRpc(why) => format!("this is no XML-RPC call: {}", short(why)),
            Self::UnknownEventType(why) => short(why),
            Self::CrossSite => "this comes from a page of another site".to_owned(),
            Self::UnknownHost { name, section } => format!(
                "this server is not known as {:?}; if it is, add the name to allowed_hosts in [{section}], or set a \
                 password there",
                short(name)
            ),
            Self::NoPage => "there is no such page".to_owned(),
            Self::NoLog => "there is no such process, or its output goes to no file".to_owned(),
            Self::UnreadableLog => "the log cannot be opened, or is no plain file".to_owned(),
            Self::TooManyPendingResponses => "too many answers have not been taken yet".to_owned(),
            Self::TooManyConnections => "too many connections".to_owned(),
            Self::Stopping => "supervisord stops".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_that_begins_with_its_status() {
        let long = || "a\r\nb\u{1b}".repeat(1000);
        for error in [
            ErrorResponse::Unauthorized,
            ErrorResponse::BodyTooLong(8),
            ErrorResponse::BodyTimeout(Duration::from_secs(60)),
            ErrorResponse::InvalidRpc(long()),
            ErrorResponse::UnknownEventType(long()),
            ErrorResponse::UnknownHost { name: long(), section: "inet_http_server".into() },
            ErrorResponse::NoLog,
            ErrorResponse::Stopping,
        ] {
            let line = error.line();
            assert!(line.starts_with(&format!("{}: ", error.status())), "{line}");
            assert!(line.len() < 1500 && line.matches('\n').count() == 1 && line.ends_with('\n'), "{line}");
            assert!(!line.trim_end().contains(char::is_control), "{line}");
        }
    }
}
