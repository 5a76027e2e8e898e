//! `[unix_http_server]` and `[inet_http_server]`: where the daemon is to be talked to.

use std::fmt;
use std::path::PathBuf;

use crate::group::Owner;

/// An HTTP server of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The section's name, as in log lines.
    pub section: String,
    /// Where it listens.
    pub address: ServerAddress,
    /// Who may come in; everybody where there are none.
    pub credentials: Option<Credentials>,
}

/// Where an HTTP server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// Its permissions, 0o700 unless told otherwise.
        mode: u32,
        /// To whom to give it.
        owner: Option<Owner>,
    },
    /// A TCP socket.
    Tcp {
        /// Name or number, in lower case; empty is any address.
        host: String,
        /// From 1.
        port: u16,
    },
}

/// A user name and a password: plain, or `{SHA}` and 40 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password, or its digest.
    pub password: String,
}

/// The password is not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
