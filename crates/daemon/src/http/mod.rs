//! The HTTP server: XML-RPC and the tails of logs, over unix sockets and TCP.
//!
//! [`open`] takes the sockets (before the daemon goes into the background), [`serve()`] answers on them. Each connection
//! is a task of its own on the owner's thread; it turns what comes into a [`crate::request::Request`] and waits for
//! the owner's answer. Everything from outside is bounded: in size, in number and in time.

mod answer;
mod auth;
mod body;
mod cross_site;
mod document;
mod events;
mod eviction;
mod limits;
mod listen;
pub mod methods;
mod offload;
mod outboxes;
pub mod pages;
mod percent;
mod phase;
mod pulse;
mod refusal;
mod rpc;
mod seats;
mod serve;
mod tail;
mod watch;
mod wire;

pub use answer::Desk;
pub use limits::Limits;
pub use listen::{Kept, Listening, OpenError, open};
pub use serve::{Serving, serve, serve_stream};

use ironlance_core::log_level::Level;

/// The daemon's own log, as the server sees it.
pub trait Journal {
    /// Whether lines of this level are kept; asked before a line is made that costs something.
    fn enabled(&self, level: Level) -> bool;

    /// Writes one line.
    fn log(&self, level: Level, text: &str);
}

#[cfg(test)]
mod tests;
