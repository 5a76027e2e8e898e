//! The page to check, from the URL on httpok's command line.
//!
//! URLs are taken apart as Python's urlsplit and http.client do it for the original. On top of that a user in
//! the URL means basic authentication, and `unix:/path/to.sock:/request/path` is nginx's way to name a page
//! behind a Unix socket.

use std::fmt::{self, Write as _};

use ironlance_net::Peer;
use ironlance_net::http::basic_authorization;

/// One page of one server.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    peer: Peer,
    secure: bool,
    host_header: String,
    path: String,
    authorization: Option<String>,
}

/// Why a URL names no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither `http` nor `https` nor `unix`; in the original's words.
    #[error("Bad scheme {0}")]
    Scheme(String),
    /// Nobody to ask.
    #[error("cannot find a host in the URL {0}")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("cannot use the port {port:?} of the URL {url}")]
    Port {
        /// What stands for the port.
        port: String,
        /// The URL, without its password.
        url: String,
    },
    /// `unix:` without the path of a socket.
    #[error("cannot find the path of a socket in the URL {0}")]
    Socket(String),
}

impl Target {
    /// Takes a URL apart. White space around it is ignored, and so is its fragment.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        let url: String = url
            .trim_matches(|c: char| c <= ' ')
            .chars()
            .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
            .collect();
        let (scheme, rest) = split_scheme(&url);
        match scheme.as_str() {
            "unix" => Self::behind_socket(rest, &url),
            "http" | "https" => match rest.strip_prefix("//unix:/") {
                Some(_) => Self::behind_socket(&rest["//unix:".len()..], &url),
                None => Self::over_tcp(scheme == "https", rest, &url),
            },
            _ => Err(TargetError::Scheme(scheme)),
        }
    }

    /// Whom to connect to.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether TLS is asked for.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The `Host` header.
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// Path and query, as they go into the request line; never empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value of the `Authorization` header, if the URL has a user or [`Self::authorize`] has set one.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Sets the user for basic authentication, in place of the one in the URL.
    pub fn authorize(&mut self, username: &str, password: &str) {
        self.authorization = Some(basic_authorization(username, password));
    }

    fn over_tcp(secure: bool, rest: &str, url: &str) -> Result<Self, TargetError> {
        let rest = rest.strip_prefix("//").ok_or_else(|| TargetError::Host(redacted(url)))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = split_port(place);
        if host.is_empty() {
            return Err(TargetError::Host(redacted(url)));
        }
        let usual = if secure { 443 } else { 80 };
        let number = if port.is_empty() { Some(usual) } else { number(port) };
        let number =
            number.ok_or_else(|| TargetError::Port { port: port.to_owned(), url: redacted(url) })?;
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authorization = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            basic_authorization(&decoded(name), &decoded(password))
        });
        Ok(Self {
            peer: Peer::Tcp { host: host.to_owned(), port: number },
            secure,
            host_header: if number == usual { shown } else { format!("{shown}:{number}") },
            path: request_path(path),
            authorization,
        })
    }

    fn behind_socket(rest: &str, url: &str) -> Result<Self, TargetError> {
        // `unix:///path` says the same as `unix:/path`.
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (socket, path) = rest.split_once(':').unwrap_or((rest, ""));
        if socket.trim_matches('/').is_empty() {
            return Err(TargetError::Socket(url.to_owned()));
        }
        Ok(Self {
            peer: Peer::Unix(socket.into()),
            secure: false,
            host_header: "localhost".to_owned(),
            path: request_path(path),
            authorization: None,
        })
    }
}

impl fmt::Debug for Target {
    /// Leaves the credentials out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Target");
        shown.field("peer", &self.peer).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The scheme in lower case, empty when there is none, and what follows its colon.
fn split_scheme(url: &str) -> (String, &str) {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match url.split_once(':') {
        Some((scheme, rest)) if scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(part) => {
            (scheme.to_ascii_lowercase(), rest)
        }
        _ => (String::new(), url),
    }
}

/// Host without brackets, and port, which may be empty.
fn split_port(place: &str) -> (&str, &str) {
    match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':').unwrap_or(after)),
        None => place.rsplit_once(':').unwrap_or((place, "")),
    }
}

fn number(port: &str) -> Option<u16> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|port| digits && *port > 0)
}

/// What goes into the request line: without fragment, with a slash in front, and with anything that would
/// break the line percent-encoded.
fn request_path(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let path = path.strip_suffix('?').unwrap_or(path);
    let mut encoded = String::from(if path.starts_with('/') { "" } else { "/" });
    for c in path.chars() {
        if c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}') {
            encoded.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Text with its `%XX` resolved; what is no such sequence stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.filter(|hex| *first == b'%' && !hex.starts_with('+'));
        match byte.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A URL that can be shown: its user and password left out.
fn redacted(url: &str) -> String {
    let Some((before, rest)) = url.split_once("//") else { return url.to_owned() };
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => format!("{before}//{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(url: &str) -> (Peer, bool, String, String) {
        let target = Target::parse(url).unwrap();
        (target.peer, target.secure, target.host_header, target.path)
    }

    fn tcp(host: &str, port: u16) -> Peer {
        Peer::Tcp { host: host.into(), port }
    }

    #[test]
    fn a_url_is_taken_apart_as_http_client_would() {
        let cases = [
            ("http://localhost:8080/tasty/service", tcp("localhost", 8080), "localhost:8080", "/tasty/service"),
            ("http://Web", tcp("Web", 80), "Web", "/"),
            ("HTTP://web:80/", tcp("web", 80), "web", "/"),
            ("http://web:/a?b=c#d", tcp("web", 80), "web", "/a?b=c"),
            ("http://web/a?#d", tcp("web", 80), "web", "/a"),
            ("http://web?b=c", tcp("web", 80), "web", "/?b=c"),
            ("http://[::1]:8080/", tcp("::1", 8080), "[::1]:8080", "/"),
            (" http://web/a b/\u{fc}\n", tcp("web", 80), "web", "/a%20b/%C3%BC"),
            ("http://web/%7Euser?x=%20", tcp("web", 80), "web", "/%7Euser?x=%20"),
        ];
        for (url, peer, host, path) in cases {
            assert_eq!(parts(url), (peer, false, host.to_owned(), path.to_owned()), "{url}");
        }
        assert_eq!(parts("https://web/"), (tcp("web", 443), true, "web".into(), "/".into()));
        assert_eq!(parts("https://web:80/").2, "web:80");
    }

    #[test]
    fn a_user_in_the_url_is_basic_authentication() {
        let target = Target::parse("http://user:p%40ss:w@web/").unwrap();
        assert_eq!(target.peer(), &tcp("web", 80));
        assert_eq!(target.authorization(), Some(basic_authorization("user", "p@ss:w").as_str()));
        assert!(!format!("{target:?}").contains("user"));
        let mut target = Target::parse("http://web/").unwrap();
        assert_eq!(target.authorization(), None);
        target.authorize("a", "b");
        assert_eq!(target.authorization(), Some(basic_authorization("a", "b").as_str()));
    }

    #[test]
    fn a_page_behind_a_unix_socket_is_named_as_in_nginx() {
        let unix = |path: &str| Peer::Unix(path.into());
        for (url, peer, path) in [
            ("unix:/run/web.sock:/health?x=1", unix("/run/web.sock"), "/health?x=1"),
            ("unix:/run/web.sock", unix("/run/web.sock"), "/"),
            ("unix:///run/web.sock:/a", unix("/run/web.sock"), "/a"),
            ("http://unix:/run/web.sock:/a", unix("/run/web.sock"), "/a"),
        ] {
            assert_eq!(parts(url), (peer, false, "localhost".into(), path.into()), "{url}");
        }
    }

    #[test]
    fn what_is_no_page_is_told_without_a_password() {
        let told = |url: &str| Target::parse(url).unwrap_err().to_string();
        assert_eq!(told("ftp://web/"), "Bad scheme ftp");
        assert_eq!(told("localhost:8080/x"), "Bad scheme localhost");
        assert_eq!(told("/just/a/path"), "Bad scheme ");
        assert_eq!(told("http:///a"), "cannot find a host in the URL http:///a");
        assert_eq!(told("http:web"), "cannot find a host in the URL http:web");
        assert_eq!(told("http://u:p@web:x/"), "cannot use the port \"x\" of the URL http://web:x/");
        assert!(told("http://web:65536/").contains("65536") && told("http://web:+1/").contains("+1"));
        assert_eq!(told("unix:"), "cannot find the path of a socket in the URL unix:");
    }

    proptest! {
        #[test]
        fn no_url_makes_the_parser_panic(url in "(http|https|unix|)(://|:/|:|)[\\PC@:/?#%\\[\\]]{0,30}") {
            if let Ok(target) = Target::parse(&url) {
                prop_assert!(target.path().starts_with('/'));
                prop_assert!(target.path().chars().all(|c| c.is_ascii_graphic()));
            }
        }

        #[test]
        fn what_is_percent_encoded_comes_back(text in ".*") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decoded(&encoded), text);
        }
    }
}
