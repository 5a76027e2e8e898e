//! Protects servers from requests that a page of another site makes a visitor's browser send: [`CrossSiteCheck`], with
//! a policy for calls, for forms and for streams.
//!
//! There are two checks. *The host name*: with DNS rebinding an attacker points a name of his own at this server; the
//! browser then takes his page and us for the same origin. So a server without a password answers only to host names
//! that no attacker can own. *The origin*: browsers say where a request comes from, in `Origin` and `Sec-Fetch-Site`,
//! and a page cannot change that (Fetch, 4.5; Fetch Metadata, 2.1). Programs send neither and are not affected.
//!
//! ```text
//!   Sec-Fetch-Site   Origin              with password    without
//!   same-origin      any                 yes              as below
//!   same-site        any                 no               no
//!   cross-site       any                 no               no
//!   none, not said   not said            yes              yes
//!   none, not said   that of Host        yes              if it is a name of ours
//!   none, not said   another, null       no               no
//! ```
//!
//! A link (navigation) from another site may lead to a stream. A form also needs the page's CSRF token.

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Request};
use ironlance_config::{HttpServer, ServerAddress};
use ironlance_net::HostPort;

/// What a request would do, which decides what is allowed from other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrossSitePolicy {
    /// An XML-RPC call.
    Call,
    /// A form of the page.
    Form,
    /// A stream of a log or of events.
    Stream,
}

/// The checks of one server.
pub(super) struct CrossSiteCheck {
    auth_mode: AuthMode,
    known_hosts: KnownHosts,
}

/// What protects a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthMode {
    /// A password. A browser does not send it for an attacker's host name, so any name will do.
    Password,
    /// The permissions of a unix socket. Browsers reach it only through a proxy.
    FilePermissions,
    /// Nothing.
    None,
}

impl CrossSiteCheck {
    /// The checks for a server on a machine with these names.
    pub(super) fn new(server: &HttpServer, machine: &MachineNames) -> Self {
        let auth_mode = match (&server.credentials, &server.address) {
            (Some(_), _) => AuthMode::Password,
            (None, ServerAddress::Unix { .. }) => AuthMode::FilePermissions,
            (None, ServerAddress::Tcp { .. }) => AuthMode::None,
        };
        Self { auth_mode, known_hosts: KnownHosts::new(server, machine) }
    }

    /// The host name of a request if it is not one of ours; `None` where host names do not matter.
    pub(super) fn unknown_host<B>(&self, request: &Request<B>) -> Option<String> {
        if self.auth_mode != AuthMode::None {
            return None;
        }
        // RFC 9112, 3.2.2: the host of an absolute request target takes precedence over the Host header.
        let in_line = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let in_head = request.headers().get_all(HOST).iter().map(|host| host.as_bytes());
        let mut named = in_line.into_iter().chain(in_head).filter(|name| !name.is_empty());
        let wrong = named.find(|name| !self.is_known_host(name))?;
        Some(String::from_utf8_lossy(wrong).chars().take(MAX_SHOWN_CHARS).collect())
    }

    /// Whether the policy allows a request with these headers.
    pub(super) fn allows(&self, policy: CrossSitePolicy, headers: &HeaderMap) -> bool {
        let has = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
        if policy == CrossSitePolicy::Stream && has("sec-fetch-mode", "navigate") {
            return true;
        }
        match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
            // Also if a reverse proxy has changed Host.
            Some(b"same-origin") if self.auth_mode == AuthMode::Password => return true,
            Some(b"same-origin" | b"none") | None => {}
            Some(_) => return false,
        }
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let Some(authority) = authority(origin.as_bytes()) else { return false };
        let is_host = headers.get(HOST).is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(authority));
        is_host && (self.auth_mode == AuthMode::Password || self.is_known_host(authority))
    }

    fn is_known_host(&self, authority: &[u8]) -> bool {
        std::str::from_utf8(authority)
            .ok()
            .and_then(host)
            .is_some_and(|host| self.known_hosts.contains(&host))
    }
}

/// At most this much of an unknown host name is shown, in characters.
const MAX_SHOWN_CHARS: usize = 100;

/// `HOST[:PORT]` of an origin such as `http://localhost:9001`.
fn authority(origin: &[u8]) -> Option<&[u8]> {
    origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"))
}

/// The host of `HOST[:PORT]`, in lower case and without the brackets of an IPv6 address; `None` if it is malformed.
fn host(authority: &str) -> Option<String> {
    let HostPort { host, .. } = HostPort::of_url(authority).ok()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty() && host.bytes().all(is_name)).then(|| host.to_ascii_lowercase())
}

/// The names of this machine and its network.
#[derive(Clone, Debug, Default)]
pub(super) struct MachineNames {
    /// The host name.
    pub(super) host_name: String,
    /// The domains of its network.
    pub(super) domains: Vec<String>,
}

impl MachineNames {
    /// Reads uname(2), and `domain` and `search` of /etc/resolv.conf. Makes no DNS query.
    pub(super) fn detect() -> Self {
        let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self { host_name, domains: domains(&resolver) }
    }
}

/// The domains in a resolv.conf(5).
fn domains(resolver: &str) -> Vec<String> {
    let mut domains = Vec::new();
    for line in resolver.lines() {
        let mut words = line.split_ascii_whitespace();
        if matches!(words.next(), Some("domain" | "search")) {
            domains.extend(words.map(|domain| domain.trim_matches('.').to_owned()));
        }
    }
    domains.retain(|domain| !domain.is_empty());
    domains
}

/// Host names that an attacker is assumed not to own.
struct KnownHosts {
    any: bool,
    own: Vec<String>,
    /// With the leading dot.
    domains: Vec<String>,
}

impl KnownHosts {
    fn new(server: &HttpServer, machine: &MachineNames) -> Self {
        let configured = match &server.address {
            ServerAddress::Tcp { host, .. } => host.trim_matches(['[', ']']),
            ServerAddress::Unix { .. } => "",
        };
        let (ends, names): (Vec<_>, Vec<_>) =
            server.allowed_hosts.iter().cloned().partition(|name| name.starts_with('.'));
        let any = names.iter().any(|name| name == "*");
        let own = [machine.host_name.as_str(), configured].map(str::to_ascii_lowercase);
        let domains = machine.domains.iter().map(|domain| format!(".{}", domain.to_ascii_lowercase()));
        Self { any, own: own.into_iter().chain(names).collect(), domains: domains.chain(ends).collect() }
    }

    /// Whether a host, in lower case, is one of them: an IP address, `localhost`, a name without a dot (no such name
    /// can be registered), the machine's name, the configured names, and names in the machine's domains.
    fn contains(&self, host: &str) -> bool {
        self.any
            || host.parse::<IpAddr>().is_ok()
            || !host.contains('.')
            || host.ends_with(".localhost")
            || self.own.iter().any(|own| own == host)
            || self.domains.iter().any(|domain| host.ends_with(domain.as_str()))
    }
}

#[cfg(test)]
mod tests;
