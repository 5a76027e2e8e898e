//! How long the writers of output wait for a pool that falls behind.

use std::time::Duration;

/// So long a child waits for a pool that makes no progress.
const STALL_LIMIT: Duration = Duration::from_secs(2);
/// So long a child waits for a pool at all, before it has caught up.
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

/// A pool that has more to do than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Congestion {
    /// Since when (monotonic).
    pub(crate) since: Duration,
    /// When it last dealt with an event, or fell behind (monotonic).
    pub(crate) progress: Duration,
}

impl Congestion {
    /// Until when children wait for this pool.
    pub(crate) fn deadline(self) -> Duration {
        (self.progress + STALL_LIMIT).min(self.since + PAUSE_LIMIT)
    }
}
