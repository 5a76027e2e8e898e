//! The two clocks of the owner: one for deadlines, which cannot be set, and one for reports.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ironlance_core::process::lifecycle::Now;

/// Gives the time as the machines want it.
#[derive(Clone)]
pub(crate) struct DaemonClock {
    begin: Instant,
    /// The time that a test sets, in the place of the kernel's.
    #[cfg(test)]
    pub(crate) virtual_time: Option<std::rc::Rc<std::cell::Cell<Now>>>,
}

impl DaemonClock {
    pub(crate) fn start() -> Self {
        Self {
            begin: Instant::now(),
            #[cfg(test)]
            virtual_time: None,
        }
    }

    /// Monotonic time since the start of the daemon, and the time of day since 1970.
    pub(crate) fn now(&self) -> Now {
        #[cfg(test)]
        if let Some(time) = &self.virtual_time {
            return time.get();
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: self.begin.elapsed(), wall }
    }

    /// Monotonic time since the start of the daemon.
    pub(crate) fn mono(&self) -> Duration {
        self.now().mono
    }

    /// The moment at which the monotonic time is `mono`.
    pub(crate) fn instant(&self, mono: Duration) -> Instant {
        self.begin + mono
    }
}
