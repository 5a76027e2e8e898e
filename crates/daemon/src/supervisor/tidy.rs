//! Memory that only bursts need is given back when the daemon has come to rest.

use std::time::Duration;

use ironlance_host::heap;
use ironlance_host::residency::Residency;

use super::Supervisor;

/// So long after the first of new activity (monotonic).
const REST: Duration = Duration::from_secs(1);

/// When memory was and will be given back.
#[derive(Default)]
pub(super) struct Tidiness {
    due: Option<Duration>,
    residency: Residency,
}

impl Supervisor {
    /// Something was done that may have needed memory: look after it soon.
    pub(super) fn untidy(&mut self) {
        if self.tidiness.due.is_none() {
            self.tidiness.due = Some(self.clock.mono() + REST);
        }
    }

    /// Gives memory back when it is time.
    pub(super) fn tidy(&mut self) {
        if self.tidiness.due.is_some_and(|due| self.clock.mono() >= due) {
            self.tidiness.due = None;
            heap::trim();
            self.tidiness.residency.before_wait();
        }
    }

    /// When that is (monotonic).
    pub(super) fn tidy_deadline(&self) -> Option<Duration> {
        self.tidiness.due
    }
}
