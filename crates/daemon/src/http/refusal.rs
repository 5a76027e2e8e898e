//! Everything that is refused without an answer of its own kind: a status, and one line that says why.

use std::time::Duration;

use hyper::StatusCode;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no user name and password, or a wrong one.
    NoPassword,
    /// What stands where they should is not readable.
    OddPassword,
    /// The path has escapes that are no UTF-8.
    OddPath,
    /// The query has.
    OddQuery,
    /// `/RPC2` by another method than POST.
    CallNotByPost,
    /// A log by another method than GET.
    LogNotByGet,
    /// A page by another method than GET.
    PageNotByGet,
    /// A call with neither a length nor chunks.
    NoLength,
    /// A body of more than so many bytes.
    TooLong(usize),
    /// A body that did not come in this time.
    TooSlow(Duration),
    /// A body that ends before its end, or whose chunks are none.
    CutOff,
    /// A body that is no call, with the reader's words.
    NoCall(String),
    /// An event type that does not exist, in words.
    NoEventType(String),
    /// A page of another site asks.
    Foreign,
    /// The server is called by a name that is none of its own, in this section.
    WrongName { name: String, section: String },
    /// There is nothing at this path.
    NoPage,
    /// No such process or channel, or its output goes to no file.
    NoLog,
    /// The file of a log cannot be opened.
    UnreadableLog,
    /// Clients have not taken what they were answered.
    TooManyAnswers,
    /// All connections are taken.
    TooManyConnections,
    /// The daemon stops.
    Stopping,
}

/// So much of what others have said is shown, in characters.
const SHOWN: usize = 200;

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NoPassword => StatusCode::UNAUTHORIZED,
            Self::OddPassword
            | Self::OddPath
            | Self::OddQuery
            | Self::CallNotByPost
            | Self::LogNotByGet
            | Self::PageNotByGet
            | Self::CutOff
            | Self::NoCall(_)
            | Self::NoEventType(_) => StatusCode::BAD_REQUEST,
            Self::NoLength => StatusCode::LENGTH_REQUIRED,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Foreign | Self::WrongName { .. } => StatusCode::FORBIDDEN,
            Self::NoPage | Self::NoLog | Self::UnreadableLog => StatusCode::NOT_FOUND,
            Self::TooManyAnswers | Self::TooManyConnections | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The line, with its end.
    pub(super) fn line(&self) -> String {
        let status = self.status();
        let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or("Error"));
        let why: String = self.why().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("{code} {reason}: {why}\n")
    }

    fn why(&self) -> String {
        let short = |text: &str| text.chars().take(SHOWN).collect::<String>();
        match self {
            Self::NoPassword => "this server wants a user name and a password".to_owned(),
            Self::OddPassword => "the Authorization header cannot be read".to_owned(),
            Self::OddPath => "the path is no UTF-8".to_owned(),
            Self::OddQuery => "the query is no UTF-8".to_owned(),
            Self::CallNotByPost => "calls are made by POST".to_owned(),
            Self::LogNotByGet => "logs are read by GET".to_owned(),
            Self::PageNotByGet => "pages are read by GET".to_owned(),
            Self::NoLength => "the length of the call is missing".to_owned(),
            Self::TooLong(most) => format!("the body is longer than {most} bytes"),
            Self::TooSlow(time) => format!("the body has not come within {} seconds", time.as_secs()),
            Self::CutOff => "the body is not whole".to_owned(),
            Self::NoCall(why) => format!("this is no XML-RPC call: {}", short(why)),
            Self::NoEventType(why) => short(why),
            Self::Foreign => "this comes from a page of another site".to_owned(),
            Self::WrongName { name, section } => format!(
                "this server is not known as {:?}; if it is, add the name to allowed_hosts in [{section}], or set a \
                 password there",
                short(name)
            ),
            Self::NoPage => "there is no such page".to_owned(),
            Self::NoLog => "there is no such process, or its output goes to no file".to_owned(),
            Self::UnreadableLog => "the log cannot be opened, or is no plain file".to_owned(),
            Self::TooManyAnswers => "too many answers have not been taken yet".to_owned(),
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
        for refusal in [
            Refusal::NoPassword,
            Refusal::TooLong(8),
            Refusal::TooSlow(Duration::from_secs(60)),
            Refusal::NoCall(long()),
            Refusal::NoEventType(long()),
            Refusal::WrongName { name: long(), section: "inet_http_server".into() },
            Refusal::NoLog,
            Refusal::Stopping,
        ] {
            let line = refusal.line();
            assert!(line.starts_with(&format!("{}: ", refusal.status())), "{line}");
            assert!(line.len() < 1500 && line.matches('\n').count() == 1 && line.ends_with('\n'), "{line}");
            assert!(!line.trim_end().contains(char::is_control), "{line}");
        }
    }
}
