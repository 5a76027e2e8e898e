//! Who sent a browser here. A page elsewhere must not be able to call us with its visitor's rights.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue, ORIGIN};

/// Whether a password stands before the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// It does. A name that somebody points at us (DNS rebinding) brings no password with it, so a page that names us
    /// as the client does is one of ours, perhaps behind a proxy.
    Locked,
    /// It does not. Then only our own address counts, not the name that the client gives us.
    Open,
}

/// Whether a call may come from where it says it comes from. Only browsers say it; programs are not affected.
pub(super) fn is_ours(headers: &HeaderMap, local: Option<SocketAddr>, door: Door) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Some(authority) = authority(origin) else { return false };
    match door {
        Door::Locked => headers.get(HOST).is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(authority)),
        Door::Open => local.is_some_and(|local| names(authority, local)),
    }
}

/// `HOST[:PORT]` of an origin such as `http://localhost:9001`.
fn authority(origin: &HeaderValue) -> Option<&[u8]> {
    let origin = origin.as_bytes();
    origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"))
}

/// Whether the authority is the very address at which the client reached us.
fn names(authority: &[u8], local: SocketAddr) -> bool {
    let Ok(authority) = std::str::from_utf8(authority) else { return false };
    if let Ok(named) = authority.parse::<SocketAddr>() {
        return named == local;
    }
    if let Ok(named) = authority.parse::<IpAddr>() {
        return SocketAddr::new(named, 80) == local;
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    host.eq_ignore_ascii_case("localhost") && local.ip().is_loopback() && port == local.port().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(origin: Option<&str>, host: &str, door: Door) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        is_ours(&headers, Some("127.0.0.1:9001".parse().unwrap()), door)
    }

    #[test]
    fn programs_do_not_say_where_they_come_from() {
        assert!(call(None, "127.0.0.1:9001", Door::Open));
        assert!(call(None, "whatever", Door::Locked));
    }

    #[test]
    fn a_page_elsewhere_is_turned_away() {
        for door in [Door::Open, Door::Locked] {
            for origin in [
                "http://evil.example",
                "https://evil.example:9001",
                "null",
                "",
                "file://",
                "http://127.0.0.1",
            ] {
                assert!(!call(Some(origin), "127.0.0.1:9001", door), "{origin}");
            }
        }
    }

    #[test]
    fn a_page_of_ours_may_call() {
        for door in [Door::Open, Door::Locked] {
            assert!(call(Some("http://127.0.0.1:9001"), "127.0.0.1:9001", door));
            assert!(call(Some("http://localhost:9001"), "localhost:9001", door));
        }
    }

    #[test]
    fn a_name_that_was_pointed_at_us_does_not_open_an_open_server() {
        assert!(!call(Some("http://evil.example:9001"), "evil.example:9001", Door::Open));
        assert!(call(Some("https://status.example"), "status.example", Door::Locked));
    }

    #[test]
    fn what_the_browser_calls_another_site_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
        assert!(!is_ours(&headers, None, Door::Locked));
    }
}
