//! The HTTP server, over unix sockets and TCP: XML-RPC, log tails, event streams and the web page.
//!
//! [`open`] binds the sockets (before the daemon goes into the background), [`serve()`] accepts connections. Each
//! connection is a task on the owner's thread. `router` finds the route of a request, `routes/*` answer it, mostly by a
//! question to the owner ([`crate::inbox::Input`]). All input is bounded in size, number and time.

mod access;
mod auth;
mod connection;
mod cross_site;
mod error_response;
mod file_watch;
mod history;
mod limits;
mod listen;
mod log_tail;
pub mod methods;
mod outboxes;
mod owner;
pub mod pages;
mod reply;
mod response_body;
mod router;
mod routes;
mod server;
mod service;
mod worker_thread;
mod xml_response;

pub use limits::HttpLimits;
pub use listen::{BoundServer, InheritedSocket, OpenError, open};
pub use server::{ServerHandle, serve, serve_stream};

use ironlance_core::log_level::Level;

/// The daemon's own log, as the server sees it.
pub trait DaemonLog {
    /// Whether lines of this level are written; asked before an expensive line is made.
    fn enabled(&self, level: Level) -> bool;

    /// Writes one line.
    fn log(&self, level: Level, text: &str);
}

#[cfg(test)]
mod tests;
