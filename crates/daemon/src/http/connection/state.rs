//! Where a connection stands: shared by the wire under it, the answer on it, and the slots that may ask it to leave.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::limits::HttpLimits;

/// What a connection is doing.
///
/// ```text
/// Fresh ──▶ Head ──▶ Body ──▶ Busy ─────────▶ Idle
///             ▲  ├──────────▶ Tail, Live ─────▶ │
///             │  └──────────▶ Refused           │
///             └─────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Phase {
    /// Nothing has come yet.
    New,
    /// A head is coming in.
    Head,
    /// A body is coming in.
    Body,
    /// An answer is being made or sent.
    Responding,
    /// It was told no, and is heard no more: it may hang up when it has read that.
    Refused,
    /// A log is being followed, which ends with its connection.
    LogTail,
    /// What happens is being told, which ends with the daemon.
    EventStream,
    /// Answered; the next request may come.
    Idle,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct ConnectionStatus {
    pub(in crate::http) phase: Phase,
    /// How long it has been in this phase.
    pub(in crate::http) age: Duration,
    /// How long the client has taken nothing of its answer.
    pub(in crate::http) stalled: Option<Duration>,
    pub(in crate::http) is_unverified: bool,
}

/// How a connection is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum CloseMode {
    /// When it has been answered.
    AfterResponse,
    /// At once.
    Now,
}

/// The state of one connection.
pub(in crate::http) struct ConnectionState {
    phase: Cell<Phase>,
    phase_since: Cell<Instant>,
    /// Since when the client has taken nothing of what there is for it.
    stalled_since: Cell<Option<Instant>>,
    is_unverified: Cell<bool>,
    close_mode: Cell<Option<CloseMode>>,
    close_signal: Notify,
    pub(in crate::http) limits: HttpLimits,
}

impl ConnectionState {
    pub(in crate::http) fn new(limits: HttpLimits) -> Self {
        Self {
            phase: Cell::new(Phase::New),
            phase_since: Cell::new(Instant::now()),
            stalled_since: Cell::new(None),
            is_unverified: Cell::new(true),
            close_mode: Cell::new(None),
            close_signal: Notify::new(),
            limits,
        }
    }

    pub(in crate::http) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// What counts when somebody has to make room.
    pub(in crate::http) fn status(&self) -> ConnectionStatus {
        ConnectionStatus {
            phase: self.phase.get(),
            age: self.phase_since.get().elapsed(),
            stalled: self.stalled_since.get().map(|since| since.elapsed()),
            is_unverified: self.is_unverified.get(),
        }
    }

    /// The client has shown the password, or been answered where there is none.
    pub(in crate::http) fn mark_verified(&self) {
        self.is_unverified.set(false);
    }

    pub(in crate::http) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.phase_since.set(Instant::now());
    }

    /// When the client must have said what it has to say.
    pub(in crate::http) fn read_deadline(&self) -> Option<Instant> {
        match self.phase.get() {
            Phase::New => Some(self.phase_since.get() + self.limits.first_byte),
            Phase::Head => Some(self.phase_since.get() + self.limits.head_time),
            // A body has its time limit where it is read.
            Phase::Body
            | Phase::Responding
            | Phase::Refused
            | Phase::LogTail
            | Phase::EventStream
            | Phase::Idle => None,
        }
    }

    /// How long the client may take nothing of what it is sent.
    pub(in crate::http) fn stall_limit(&self) -> Duration {
        if self.is_streaming() { self.limits.stream_stall } else { self.limits.write_stall }
    }

    /// Whether the answer goes on for as long as the client stays.
    pub(in crate::http) fn is_streaming(&self) -> bool {
        matches!(self.phase.get(), Phase::LogTail | Phase::EventStream)
    }

    /// The client has taken something.
    pub(in crate::http) fn mark_progress(&self) {
        self.stalled_since.set(None);
    }

    /// The client takes nothing.
    pub(in crate::http) fn mark_stalled(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(Some(Instant::now()));
        }
    }

    /// Whether the client has taken nothing for so long that it is not waited for at the end.
    pub(in crate::http) fn is_stalled(&self) -> bool {
        self.stalled_since.get().is_some_and(|since| since.elapsed() >= self.limits.close_time)
    }

    /// Asks the connection to leave.
    pub(in crate::http) fn request_close(&self, how: CloseMode) {
        self.close_mode.set(Some(how));
        self.close_signal.notify_one();
    }

    /// Waits until the connection is asked to leave.
    pub(in crate::http) async fn close_requested(&self) -> CloseMode {
        loop {
            if let Some(how) = self.close_mode.take() {
                return how;
            }
            self.close_signal.notified().await;
        }
    }
}
