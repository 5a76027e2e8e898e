//! A process group: a `[group:x]`, or a program that is a group of its own.

use std::path::PathBuf;

use ironlance_core::GroupName;
use ironlance_core::event::kind::EventKind;

use crate::program::Program;

/// Processes that are started, stopped and shown together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Unique in the configuration.
    pub name: GroupName,
    /// Lower is started earlier and stopped later.
    pub priority: i64,
    /// Of one section by priority and name, the sections in the order they are named; no name twice.
    pub programs: Vec<Program>,
    /// What sort of processes they are.
    pub kind: GroupKind,
    /// No section says so: the daemon runs it by itself, and clients that list processes do not see it.
    pub built_in: bool,
}

/// What sort of processes a group has.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupKind {
    /// Programs; those of a `[group:x]` may come from `fcgi-program` sections, and then have no socket.
    Programs,
    /// A pool of event listeners.
    Listeners {
        /// Their subscriptions; each once, in the order of the file.
        events: Vec<EventKind>,
        /// How many events may wait, at least 1; `None` where the file does not say.
        buffer_size: Option<usize>,
        /// The factory's name as given; see [`crate::result_handler`].
        result_handler: String,
    },
    /// FastCGI processes that share a socket.
    FastCgi(FcgiSocket),
}

/// The socket that FastCGI processes share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FcgiSocket {
    /// As it stands in log lines: `unix:///path` or `tcp://host:port`.
    pub url: String,
    /// Where to bind.
    pub address: SocketAddress,
    /// For `listen`; the system's own maximum where there is none.
    pub backlog: Option<u32>,
}

/// Where a FastCGI socket is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketAddress {
    /// A unix socket.
    Unix {
        /// Absolute.
        path: PathBuf,
        /// Its owner.
        owner: Option<SocketOwner>,
        /// Its permissions.
        mode: Option<u32>,
    },
    /// A TCP socket.
    Tcp {
        /// Name or number, in lower case.
        host: String,
        /// From 1.
        port: u16,
    },
}

/// The owner of a socket; a part that is `None` stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOwner {
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}
