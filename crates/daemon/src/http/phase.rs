//! What a connection is doing: the states between its first byte and its last.

/// What a connection is doing.
///
/// ```text
/// Fresh ──▶ Head ──▶ Body ──▶ Busy ─────────▶ Idle
///             ▲  ├──────────▶ Tail, Live ─────▶ │
///             │  └──────────▶ Refused           │
///             └─────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing has come yet.
    Fresh,
    /// A head is coming in.
    Head,
    /// A body is coming in.
    Body,
    /// An answer is being made or sent.
    Busy,
    /// It was told no, and is heard no more: it may hang up when it has read that.
    Refused,
    /// A log is being followed, which ends with its connection.
    Tail,
    /// What happens is being told, which ends with the daemon.
    Live,
    /// Answered; the next request may come.
    Idle,
}
