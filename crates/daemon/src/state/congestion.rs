//! How long output is not read for a pool that is behind: [`Congestion`].

use std::time::Duration;

/// How long output is not read for a pool that makes no progress.
const STALL_LIMIT: Duration = Duration::from_secs(2);
/// How long output is not read for a pool at all, before it has caught up.
const PAUSE_LIMIT: Duration = Duration::from_secs(10);

/// A pool has more events than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Congestion {
    /// Since when (monotonic).
    pub(crate) since: Duration,
    /// When it last dealt with an event, or fell behind (monotonic).
    pub(crate) progress: Duration,
}

impl Congestion {
    /// Until when output is not read for this pool.
    pub(crate) fn deadline(self) -> Duration {
        (self.progress + STALL_LIMIT).min(self.since + PAUSE_LIMIT)
    }
}
