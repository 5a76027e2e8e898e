//! What a client may do: [`Access`] of a server, and the access that a method or a form needs.

/// What clients of a server may do, or what a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Only what changes nothing: the server can be reached from other hosts and has no password.
    ReadOnly,
}

impl Access {
    /// Whether a request that needs `needed` may be served.
    pub const fn allows(self, needed: Self) -> bool {
        matches!((self, needed), (Self::Full, _) | (_, Self::ReadOnly))
    }
}
