//! What a page of another site can make a visitor's browser ask of us, and what of it is refused: the one policy for
//! calls, for the page's forms, and for what is followed.
//!
//! Two things protect a server. *Its name*: a page whose name was pointed at us (DNS rebinding) is of our own origin as
//! the browser sees it, and may read all answers; so a server without password answers only to names that nobody
//! else can own. *Whose page it is*: browsers say where a request comes from, in `Origin` and `Sec-Fetch-Site`, and
//! no page can change that (Fetch, 4.5; Fetch Metadata, 2.1). Programs say neither, and are not affected.
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
//! A link from anywhere may lead to what is followed. A form needs the page's token besides.

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::{HeaderMap, Request};
use ironlance_config::{HttpServer, ServerAddress};

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrossSitePolicy {
    /// A call over XML-RPC.
    Call,
    /// A form of the page.
    Form,
    /// A log, or what happens, for as long as the client stays.
    Stream,
}

/// The policy of one server.
pub(super) struct CrossSiteCheck {
    auth_mode: AuthMode,
    known_hosts: KnownHosts,
}

/// What stands before a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuthMode {
    /// A password. A name that somebody points at us brings none with it, so any name will do.
    Password,
    /// The permissions of a unix socket. Browsers reach it only through a proxy.
    FilePermissions,
    /// Nothing.
    None,
}

impl CrossSiteCheck {
    /// The policy of a server on a machine.
    pub(super) fn new(server: &HttpServer, machine: &MachineNames) -> Self {
        let auth_mode = match (&server.credentials, &server.address) {
            (Some(_), _) => AuthMode::Password,
            (None, ServerAddress::Unix { .. }) => AuthMode::FilePermissions,
            (None, ServerAddress::Tcp { .. }) => AuthMode::None,
        };
        Self { auth_mode, known_hosts: KnownHosts::new(server, machine) }
    }

    /// The name by which a client calls us and which is none of ours; nothing where that does not matter.
    pub(super) fn unknown_host<B>(&self, request: &Request<B>) -> Option<String> {
        if self.auth_mode != AuthMode::None {
            return None;
        }
        // RFC 9112, 3.2.2: the name in the request line goes before the header.
        let in_line = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let in_head = request.headers().get_all(HOST).iter().map(|host| host.as_bytes());
        let mut named = in_line.into_iter().chain(in_head).filter(|name| !name.is_empty());
        let wrong = named.find(|name| !self.is_known_host(name))?;
        Some(String::from_utf8_lossy(wrong).chars().take(MAX_SHOWN_CHARS).collect())
    }

    /// Whether a request may come from where it says that it comes from.
    pub(super) fn allows(&self, ask: CrossSitePolicy, headers: &HeaderMap) -> bool {
        let says = |name: &str, value: &str| headers.get(name).is_some_and(|said| said == value);
        if ask == CrossSitePolicy::Stream && says("sec-fetch-mode", "navigate") {
            return true;
        }
        match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
            // Also where a proxy has put another name into Host.
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

/// So much of a name that is none of ours is shown, in characters.
const MAX_SHOWN_CHARS: usize = 100;

/// `HOST[:PORT]` of an origin such as `http://localhost:9001`.
fn authority(origin: &[u8]) -> Option<&[u8]> {
    origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"))
}

/// The host of `HOST[:PORT]`, in lower case and without the brackets of an IPv6 address; nothing where it is none.
fn host(authority: &str) -> Option<String> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_port = rest.is_empty()
        || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let host = host.strip_suffix('.').unwrap_or(host);
    (is_port && !host.is_empty() && host.bytes().all(is_name)).then(|| host.to_ascii_lowercase())
}

/// What the machine says of names.
#[derive(Clone, Debug, Default)]
pub(super) struct MachineNames {
    /// Its own.
    pub(super) host_name: String,
    /// The domains of its own network.
    pub(super) domains: Vec<String>,
}

impl MachineNames {
    /// What this machine says: its host name, and `domain` and `search` of /etc/resolv.conf. Nobody is asked.
    pub(super) fn detect() -> Self {
        let host_name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let resolver = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self { host_name, domains: domains(&resolver) }
    }
}

/// The domains that resolv.conf(5) names.
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

/// The names that nobody else can own, as far as we know.
struct KnownHosts {
    any: bool,
    own: Vec<String>,
    /// With the dot before them.
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

    /// Whether a host, in lower case, is one of them: an address, `localhost`, a name without a dot (no such name can be
    /// had on the Internet), the machine's, the configured ones, and those in the machine's own domains.
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
