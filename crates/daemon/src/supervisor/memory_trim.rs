//! Memory that only bursts need is given back when the daemon has come to rest.

use std::time::Duration;

use ironlance_host::code_pages::CodePageTrimmer;
use ironlance_host::heap;

use super::Supervisor;

/// So long after the first of new activity (monotonic).
const IDLE_TIME: Duration = Duration::from_secs(1);

/// When memory was and will be given back.
#[derive(Default)]
pub(super) struct TrimState {
    due: Option<Duration>,
    residency: CodePageTrimmer,
}

impl Supervisor {
    /// Something was done that may have needed memory: look after it soon.
    pub(super) fn schedule_trim(&mut self) {
        if self.memory_trim.due.is_none() {
            self.memory_trim.due = Some(self.clock.mono() + IDLE_TIME);
        }
    }

    /// Gives memory back when it is time.
    pub(super) fn trim_if_due(&mut self) {
        if self.memory_trim.due.is_some_and(|due| self.clock.mono() >= due) {
            self.memory_trim.due = None;
            heap::trim();
            self.memory_trim.residency.before_wait();
        }
    }

    /// When that is (monotonic).
    pub(super) fn trim_deadline(&self) -> Option<Duration> {
        self.memory_trim.due
    }
}
