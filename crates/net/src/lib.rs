//! Bytes over sockets: dialling, TLS, one HTTP exchange; each bounded in time.
//!
//! Callers are plain threads: a runtime exists only while something is exchanged, or a connection is kept.

mod ask_first;
pub mod dial;
pub mod follow;
pub mod http;
pub mod kept;
pub mod percent;
pub mod runtime;
mod status_line;
pub mod tls;

pub use dial::{DialError, Peer, Stream};
pub use follow::{Followed, follow};
pub use http::{ExchangeError, Request, Response, exchange};
pub use kept::Kept;
pub use tls::Tls;

/// An operating-system error in Python's words, which the originals' messages carry: `[Errno 111] Connection refused`.
pub fn os_error(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            format!("[Errno {code}] {text}")
        }
        None => error.to_string(),
    }
}
