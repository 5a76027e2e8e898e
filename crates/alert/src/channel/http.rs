//! What channels over HTTP share: [`HttpSender`] sends one request, [`HttpAnswer`] judges the answer by its status. Each
//! channel judges the body itself, before or after.
//!
//! | status | outcome |
//! |---|---|
//! | 2xx | taken, where the body does not say otherwise |
//! | 429, 408, 5xx, no answer, an answer that was cut | unreachable: backoff, not before `Retry-After` |
//! | 400, 413, 422 | unfit: the content goes out plainer |
//! | anything else: 401, 403, 404, 410, a redirect … | unreachable: the configuration can be mended, nothing is lost |

use std::env;
use std::time::{Duration, SystemTime};

use ironlance_net::{Endpoint, FetchLimits, HttpRequest, HttpUrl, Proxy, Tls, fetch};

use super::{DeliveryError, DeliveryProgress, Receipt};
use crate::secret::{Secret, reveal};

/// The limits of a request: to connect, in all, and what is read of an answer.
const LIMITS: FetchLimits =
    FetchLimits { connect: Duration::from_secs(10), whole: Duration::from_secs(30), body: 64 * 1024 };
/// How the client calls itself.
const USER_AGENT: &str = concat!("ironlance/", env!("CARGO_PKG_VERSION"));
/// The characters of an answer that are logged.
const EXCERPT: usize = 200;

/// Sends the requests of one channel.
#[derive(Clone, Debug)]
pub(crate) struct HttpSender {
    proxy: Option<Secret>,
}

/// A request to be sent: POST with a body.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    /// Where it goes.
    pub(crate) url: HttpUrl,
    /// Its `Content-Type`.
    pub(crate) content_type: &'static str,
    /// Further header fields.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct HttpAnswer {
    /// The status.
    pub(crate) status: u16,
    /// When to come again: `Retry-After`, in seconds or as a date.
    pub(crate) retry_after: Option<Duration>,
    /// The body, up to 64 KiB.
    pub(crate) body: Vec<u8>,
    /// Who answered, and with what status and words, for people.
    line: String,
}

/// The URL that a secret holds. `key` is what the configuration calls it.
pub(crate) fn secret_url(key: &str, secret: &Secret) -> Result<HttpUrl, DeliveryError> {
    let text = revealed(secret)?;
    HttpUrl::parse(text.trim())
        .map_err(|error| DeliveryError::unreachable(format!("cannot use the URL of {key}=: {error}")))
}

/// What a secret holds. It is read each time, so that it can be changed while the deliverer runs.
pub(crate) fn revealed(secret: &Secret) -> Result<String, DeliveryError> {
    reveal(secret).map_err(|error| DeliveryError::unreachable(error.to_string()))
}

impl Post {
    /// A request with a JSON body.
    pub(crate) fn json(url: HttpUrl, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a payload has only strings for keys");
        Self { url, content_type: "application/json", headers: Vec::new(), body }
    }

    /// The request with another header field.
    pub(crate) fn with_header(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }
}

impl HttpSender {
    /// A sender; `proxy` is that of the configuration.
    pub(crate) fn new(proxy: Option<&Secret>) -> Self {
        Self { proxy: proxy.cloned() }
    }

    /// The proxy that leads to a URL.
    fn proxy_for(&self, url: &HttpUrl) -> Result<Option<Proxy>, DeliveryError> {
        let proxy = match &self.proxy {
            Some(secret) => Some(Proxy::parse(revealed(secret)?.trim())),
            None => Proxy::of_environment(url, |name| env::var(name).ok()),
        };
        let fault = |error| DeliveryError::unreachable(format!("cannot use the proxy: {error}"));
        proxy.transpose().map_err(fault)
    }

    /// Sends a request. Without an answer the channel is unreachable.
    pub(crate) fn send(
        &self,
        post: Post,
        progress: &mut dyn DeliveryProgress,
    ) -> Result<HttpAnswer, DeliveryError> {
        let Post { url, content_type, headers, body } = post;
        let proxy = self.proxy_for(&url)?;
        let mut all = vec![
            ("Host".to_owned(), url.host_port.clone()),
            ("User-Agent".to_owned(), USER_AGENT.to_owned()),
            ("Accept".to_owned(), "*/*".to_owned()),
            ("Content-Type".to_owned(), content_type.to_owned()),
        ];
        all.extend(url.basic_authorization().map(|value| ("Authorization".to_owned(), value)));
        all.extend(headers);
        let request = HttpRequest {
            endpoint: Endpoint::Tcp { host: url.host.clone(), port: url.port },
            tls: if url.is_secure { Tls::Verified { ca_file: None } } else { Tls::Off },
            method: "POST".to_owned(),
            target: url.target.clone(),
            headers: all,
            body,
        };
        let name = url.redacted();
        let (response, body) = fetch(&request, proxy.as_ref(), LIMITS).map_err(|error| {
            // The error of an invalid request shows its target, which may hold a key.
            let error = hide_target(&error.to_string(), &url);
            DeliveryError::unreachable(format!("cannot reach {name}: {error}"))
        })?;
        let space = if response.reason.is_empty() { "" } else { " " };
        let excerpt = hide_target(&excerpt(&body), &url);
        let colon = if excerpt.is_empty() { "" } else { ": " };
        let status = response.status;
        let line = format!("{name} answered {status}{space}{}{colon}{excerpt}", one_line(&response.reason));
        progress.step(&line);
        let retry_after =
            response.header("retry-after").and_then(|value| retry_after(value, SystemTime::now()));
        Ok(HttpAnswer { status, retry_after, body, line })
    }
}

impl HttpAnswer {
    /// What the status alone says.
    pub(crate) fn by_status(&self) -> Result<(), DeliveryError> {
        match self.status {
            200..=299 => Ok(()),
            400 | 413 | 422 => Err(self.unfit()),
            _ => Err(self.unreachable()),
        }
    }

    /// The body as JSON; the channel is unreachable where it is none: something else than the carrier has answered.
    pub(crate) fn json(&self) -> Result<serde_json::Value, DeliveryError> {
        serde_json::from_slice(&self.body).map_err(|_| self.unreachable())
    }

    /// Taken.
    pub(crate) fn taken(&self) -> Receipt {
        Receipt { answer: self.line.clone(), ..Receipt::default() }
    }

    /// The answer means that everything waits, until `Retry-After` if there is one.
    pub(crate) fn unreachable(&self) -> DeliveryError {
        DeliveryError::Unreachable { reason: self.line.clone(), after: self.retry_after }
    }

    /// The answer means that everything waits, at least for this time.
    pub(crate) fn unreachable_for(&self, after: Duration) -> DeliveryError {
        DeliveryError::Unreachable { reason: self.line.clone(), after: Some(after) }
    }

    /// The answer means that the content is to be plainer.
    pub(crate) fn unfit(&self) -> DeliveryError {
        DeliveryError::unfit(self.line.clone())
    }

    /// The answer means that this is never taken.
    pub(crate) fn rejected(&self) -> DeliveryError {
        DeliveryError::rejected(self.line.clone())
    }
}

#[cfg(test)]
impl HttpAnswer {
    /// The answer in words.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

/// An answer for tests of the channels that judge it.
#[cfg(test)]
pub(crate) fn answer_for_tests(status: u16, body: &str, retry_after: Option<Duration>) -> HttpAnswer {
    HttpAnswer { status, retry_after, body: body.as_bytes().to_vec(), line: format!("{status} {body}") }
}

/// The time to wait that `Retry-After` gives: seconds, also as a fraction, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.clamp(0.0, 1e9).ceil()).ok();
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

/// The first characters of a body on one line.
fn excerpt(body: &[u8]) -> String {
    // Twice the bytes that the characters can take: what is dropped is white space.
    let start = String::from_utf8_lossy(&body[..body.len().min(EXCERPT * 8)]).into_owned();
    one_line(&start)
}

/// A text of bounded length without control characters; white space is one space.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect()
}

/// A text without the path and query of a URL, which may hold a key.
fn hide_target(text: &str, url: &HttpUrl) -> String {
    if url.target.len() < 4 { text.to_owned() } else { text.replace(&url.target, "/***") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("7", Some(7)),
            (" 0.3 ", Some(1)),
            ("-5", Some(0)),
            ("1e99", Some(1_000_000_000)),
            ("NaN", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:40:37 GMT", Some(0)),
            ("soon", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
    }

    #[test]
    fn a_status_has_an_outcome() {
        let answer = |status| HttpAnswer {
            status,
            retry_after: Some(Duration::from_secs(9)),
            body: Vec::new(),
            line: "x".into(),
        };
        for status in [200, 202, 204] {
            assert_eq!(answer(status).by_status(), Ok(()));
        }
        for status in [301, 401, 403, 404, 408, 410, 429, 500, 503] {
            let after = Some(Duration::from_secs(9));
            let expected = Err(DeliveryError::Unreachable { reason: "x".into(), after });
            assert_eq!(answer(status).by_status(), expected, "{status}");
        }
        for status in [400, 413, 422] {
            assert_eq!(answer(status).by_status(), Err(DeliveryError::unfit("x")), "{status}");
        }
    }

    #[test]
    fn what_an_answer_says_is_shown_without_the_key_of_the_url() {
        let url = HttpUrl::parse("https://hooks.example/T0/secret").unwrap();
        assert_eq!(hide_target("no hook at /T0/secret", &url), "no hook at /***");
        assert_eq!(excerpt(b"<html>\r\n <b>\x1b[31mno\0 \xff</b>"), "<html> <b> [31mno \u{fffd}</b>");
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_readers_panic(body in prop::collection::vec(any::<u8>(), 0..3000), value in "\\PC{0,40}") {
            prop_assert!(excerpt(&body).chars().count() <= EXCERPT);
            let _ = retry_after(&value, SystemTime::now());
        }
    }
}
