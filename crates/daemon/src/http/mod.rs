//! The HTTP server: XML-RPC and the tails of logs, over unix sockets and TCP.
//!
//! [`open`] takes the sockets (before the daemon goes into the background), [`serve()`] answers on them. Each connection
//! is a task of its own on the owner's thread; it turns what comes into a [`crate::request::Request`] and waits for
//! the owner's answer. Everything from outside is bounded: in size, in number and in time.

mod access;
mod auth;
mod connection;
mod cross_site;
mod error_response;
mod file_watch;
mod limits;
mod listen;
mod log_tail;
pub mod methods;
mod outboxes;
mod owner;
pub mod pages;
mod percent;
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
    /// Whether lines of this level are kept; asked before a line is made that costs something.
    fn enabled(&self, level: Level) -> bool;

    /// Writes one line.
    fn log(&self, level: Level, text: &str);
}

#[cfg(test)]
mod tests;
