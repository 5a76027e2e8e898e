//! Network clients: connecting, TLS, and HTTP/1.1 exchanges, each with a time limit.
//!
//! Callers are plain threads. A tokio runtime exists only during an exchange or while a connection stays open.

pub mod authority;
pub mod dial;
pub mod http;
pub mod runtime;
pub mod tls;

pub use authority::{HostPort, HostPortError, split_userinfo};
pub use dial::{DialError, Endpoint, NetStream};
pub use http::{
    ExchangeError, FetchLimits, HttpRequest, HttpResponse, HttpUrl, HttpUrlError, PersistentConnection,
    Proxy, ProxyError, StreamEnd, exchange, fetch, stream,
};
pub use tls::Tls;

/// An operating-system error in Python's words, which the originals' messages carry: `[Errno 111] Connection refused`.
pub fn os_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    let Some(code) = error.raw_os_error() else { return text };
    format!("[Errno {code}] {}", text.split(" (os error").next().unwrap_or_default())
}
