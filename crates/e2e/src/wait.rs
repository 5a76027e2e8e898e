//! Waiting for something that other processes do: probe, pause, and give up at a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Far longer than anything takes on an idle machine: a busy one must not fail a test.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Short beside what is waited for, long beside what a probe costs.
const BETWEEN_PROBES: Duration = Duration::from_millis(5);

/// Probes until there is an answer; fails after `limit`, naming `what` was waited for.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe().with_context(|| format!("while waiting for {what}"))? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("waited {limit:?} in vain for {what}");
        }
        pause(BETWEEN_PROBES);
    }
}

/// Lets other processes work for a moment. Only for probing, and for watching that something does *not* happen.
pub fn pause(duration: Duration) {
    let end = Instant::now() + duration;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}
