//! What a client may do: [`Access`] of a server, and the access that a method or a form needs.

use std::net::IpAddr;

use ironlance_config::HttpServer;

/// What clients of a server may do, or what a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Only what changes nothing: the server can be reached from other hosts and has no password.
    ReadOnly,
}

impl Access {
    /// The access of the clients of a server that listens at `address`, or on a unix socket. Without a password a server
    /// that other hosts can reach is read-only, unless `allow_anonymous_changes` is set.
    pub fn of_server(server: &HttpServer, address: Option<IpAddr>) -> Self {
        let is_reachable = address.is_some_and(|address| !address.is_loopback());
        let is_open = server.credentials.is_none() && !server.allow_anonymous_changes;
        if is_reachable && is_open { Self::ReadOnly } else { Self::Full }
    }

    /// Whether a request that needs `needed` may be served.
    pub const fn allows(self, needed: Self) -> bool {
        matches!((self, needed), (Self::Full, _) | (_, Self::ReadOnly))
    }
}
