//! HTTP/1.1 for clients: one exchange, an answer with its body, an endless response,
//! several exchanges over one connection; proxies.

pub mod exchange;
mod fetch;
mod persistent;
mod proxy;
mod status_line;
mod stream;
mod url;
mod write_first;

pub use exchange::{ExchangeError, HttpRequest, HttpResponse, exchange};
pub use fetch::{FetchLimits, fetch};
pub use persistent::PersistentConnection;
pub use proxy::{Proxy, ProxyError};
pub use stream::{StreamEnd, stream};
pub use url::{HttpUrl, HttpUrlError};
