//! Why a child's output is not read at present.

/// Why a channel is kept waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseReason {
    /// Its listeners are behind.
    SlowListener,
    /// Its log is.
    SlowLog,
}

/// All reasons for which a channel is kept waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadPause {
    pub(crate) listeners: bool,
    pub(crate) log: bool,
}

impl ReadPause {
    pub(crate) const fn is_paused(self) -> bool {
        self.listeners || self.log
    }
}

/// Whether a channel is kept waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PauseChange {
    Pause,
    Resume,
}
