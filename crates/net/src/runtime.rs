//! Short-lived tokio runtimes of the calling thread, for one exchange or a few. Callers: `http` and the mail channels.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};

/// Runs a future to its end on a runtime of its own.
///
/// Does not wait for the runtime's blocking threads: a name lookup that hangs in the C library cannot be cancelled and
/// must not hold the caller beyond its deadline.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = build()?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

/// A runtime that runs on the calling thread.
pub(crate) fn build() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().max_blocking_threads(1).build()
}
