//! HTTP/1.1 for clients: one exchange, an endless response, several exchanges over one connection.

pub mod exchange;
mod persistent;
mod status_line;
mod stream;
mod write_first;

pub use exchange::{ExchangeError, HttpRequest, HttpResponse, exchange};
pub use persistent::PersistentConnection;
pub use stream::{StreamEnd, stream};
