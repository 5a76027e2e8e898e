//! `[unix_http_server]` and `[inet_http_server]`: where the daemon is to be talked to.

use std::fmt;
use std::path::PathBuf;

use crate::group::SocketOwner;

/// An HTTP server of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpServer {
    /// The section's name, as in log lines.
    pub section: String,
    /// Where it listens.
    pub address: ServerAddress,
    /// User name and password; without them access is open.
    pub credentials: Option<Credentials>,
    /// Changes are allowed without a password although other hosts can reach it.
    pub allow_anonymous_changes: bool,
    /// Names that clients may call a TCP server by, beside those that it has anyway, in lower case: `status.example`;
    /// `.example` for all names that end so; `*` for any.
    pub allowed_hosts: Vec<String>,
}

/// Where an HTTP server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerAddress {
    /// A unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// Its permissions, 0o700 by default.
        mode: u32,
        /// Its owner.
        owner: Option<SocketOwner>,
    },
    /// A TCP socket.
    Tcp {
        /// Name or number, in lower case; empty is any address.
        host: String,
        /// From 1.
        port: u16,
    },
}

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password, or its digest.
    pub password: Password,
}

/// A password as a server keeps it.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// The password itself.
    Plain(String),
    /// Its SHA-1: `{SHA}` and 40 hexadecimal digits.
    Sha1([u8; 20]),
}

/// How the digest of a password begins.
const DIGEST: &str = "{SHA}";

impl Password {
    /// Reads what stands in the configuration; `None` where it is `{SHA}` and no digest.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.strip_prefix(DIGEST) {
            Some(digits) => unhex(digits).map(Self::Sha1),
            None => Some(Self::Plain(text.to_owned())),
        }
    }
}

fn unhex(digits: &str) -> Option<[u8; 20]> {
    let digits = digits.as_bytes();
    if digits.len() != 40 {
        return None;
    }
    let mut sum = [0; 20];
    for (byte, pair) in sum.iter_mut().zip(digits.chunks(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(sum)
}

/// The password is not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_forty_digits_and_anything_else_behind_its_mark_is_none() {
        let sum = Password::read("{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50CB1D");
        assert!(matches!(sum, Some(Password::Sha1([0x82, 0xab, .., 0xcb, 0x1d]))));
        for odd in
            ["{SHA}", "{SHA}82ab", "{SHA}thepassword", "{SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d "]
        {
            assert!(Password::read(odd).is_none(), "{odd}");
        }
        assert!(Password::read("{SHA}é2ab876d1387bfafe46cc1c8a2ef074eae50cb1").is_none());
        assert!(matches!(Password::read("{sha}x"), Some(Password::Plain(text)) if text == "{sha}x"));
    }
}
