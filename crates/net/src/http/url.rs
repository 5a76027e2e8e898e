//! The URL of a request: [`HttpUrl`], parsed for a client that sends one request to it. It resolves no relative references.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::authority::{HostPort, HostPortError, split_userinfo};

/// A URL of the scheme http or https.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// Whether the scheme is https.
    pub is_secure: bool,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port, or that of the scheme.
    pub port: u16,
    /// Host and port as they stand in the URL, for a `Host` header.
    pub host_port: String,
    /// Path and query, beginning with a slash.
    pub target: String,
    /// `user:password` as it stands in the URL, decoded.
    userinfo: Option<Vec<u8>>,
}

/// Why a text is no such URL. The text itself is not in it: it may hold a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HttpUrlError {
    /// It begins with neither `http://` nor `https://`.
    #[error("it does not begin with http:// or https://")]
    Scheme,
    /// The host or the port is wrong.
    #[error("{0}")]
    Authority(#[from] HostPortError),
    /// A space, a control character or a character beyond ASCII.
    #[error("it has a character that must be percent-encoded")]
    Character,
}

impl HttpUrl {
    /// Reads a URL. A fragment is dropped; what is percent-encoded stays so.
    pub fn parse(url: &str) -> Result<Self, HttpUrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(HttpUrlError::Scheme)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(HttpUrlError::Scheme),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(HttpUrlError::Character);
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (userinfo, host_port) = split_userinfo(authority);
        let HostPort { host, port } = HostPort::of_url(host_port)?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure,
            host: host.to_owned(),
            port: port.unwrap_or(if is_secure { 443 } else { 80 }),
            host_port: host_port.to_owned(),
            target: format!("{slash}{target}"),
            userinfo: userinfo.map(percent_decoded),
        })
    }

    /// The URL with another path and query.
    #[must_use]
    pub fn with_target(self, target: &str) -> Self {
        Self { target: target.to_owned(), ..self }
    }

    /// The value of an `Authorization` header for the user and the password of the URL, if it has them.
    pub fn basic_authorization(&self) -> Option<String> {
        Some(format!("Basic {}", STANDARD.encode(self.userinfo.as_ref()?)))
    }

    /// For people: scheme, host and port. The rest may hold a key.
    pub fn redacted(&self) -> String {
        format!("{}://{}/…", if self.is_secure { "https" } else { "http" }, self.host_port)
    }
}

impl std::fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpUrl({})", self.redacted())
    }
}

/// Percent-decodes; a percent sign without two hex digits stands for itself.
fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let hex = hex.filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = HttpUrl::parse("https://joe:p%40ss:w@[::1]:8443/a/b?c=%3D#top").unwrap();
        assert_eq!((url.is_secure, url.host.as_str(), url.port), (true, "::1", 8443));
        assert_eq!((url.host_port.as_str(), url.target.as_str()), ("[::1]:8443", "/a/b?c=%3D"));
        // printf 'joe:p@ss:w' | base64
        assert_eq!(url.basic_authorization().as_deref(), Some("Basic am9lOnBAc3M6dw=="));
        assert_eq!(url.redacted(), "https://[::1]:8443/…");
        let url = HttpUrl::parse("HTTP://hooks?x").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.target.as_str()), ("hooks", 80, "/?x"));
        assert_eq!(url.basic_authorization(), None);
    }

    #[test]
    fn what_is_no_url_is_refused_without_naming_it() {
        for (text, why) in [
            ("hooks.example.com/secret", "it does not begin with http:// or https://"),
            ("ftp://secret/", "it does not begin with http:// or https://"),
            ("https:///secret", "the host is missing"),
            ("https://h:99999/secret", "the port is not a number from 1 to 65535"),
            ("https://h/sec ret", "it has a character that must be percent-encoded"),
            ("https://h/\r\nX: y", "it has a character that must be percent-encoded"),
        ] {
            assert_eq!(HttpUrl::parse(text).unwrap_err().to_string(), why);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_a_url_or_an_error(text in "(https?://)?\\PC{0,30}") {
            if let Ok(url) = HttpUrl::parse(&text) {
                prop_assert!(url.target.starts_with('/') && !url.host.is_empty());
                let _ = url.basic_authorization();
            }
        }
    }
}
