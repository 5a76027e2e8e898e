//! The words a listener says on its stdout: READY, and RESULT with OK or FAIL.

/// What a listener writes when it can take an event.
pub const READY: &[u8] = b"READY\n";

/// A listener's verdict on an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The event is dealt with.
    Ok,
    /// The supervisor shall send the event again.
    Fail,
}

impl Answer {
    /// The bytes that say so: `RESULT`, the length, and the word; no newline at the end.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Ok => b"RESULT 2\nOK",
            Self::Fail => b"RESULT 4\nFAIL",
        }
    }
}
