//! A runtime for the time of one exchange, or of a few.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};

/// Runs a future to its end on a runtime of its own.
///
/// The runtime is left without waiting for its helper threads: a name lookup that hangs in the C library cannot be
/// cancelled, and must not keep the caller beyond its deadline.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = build()?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

/// A runtime of the calling thread.
pub(crate) fn build() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build()
}
