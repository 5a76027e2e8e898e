//! Why a child's output is not read at present.

/// One reason not to read an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// Its listeners are behind.
    SlowListener,
    /// Its log is behind.
    SlowLog,
}

/// All reasons not to read an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadPause {
    slow_listener: bool,
    slow_log: bool,
}

impl ReadPause {
    pub(crate) const fn set(&mut self, reason: PauseReason, change: PauseChange) {
        let is_set = matches!(change, PauseChange::Pause);
        match reason {
            PauseReason::SlowListener => self.slow_listener = is_set,
            PauseReason::SlowLog => self.slow_log = is_set,
        }
    }

    pub(crate) const fn is_paused(self) -> bool {
        self.slow_listener || self.slow_log
    }
}

/// Whether an output is to be paused or read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseChange {
    Pause,
    Resume,
}
