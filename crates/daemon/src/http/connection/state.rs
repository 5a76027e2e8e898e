//! The state of a connection: [`ConnectionState`], shared by its stream, its response and the slots.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http::limits::HttpLimits;

/// What a connection is doing.
///
/// ```text
/// New ──▶ Head ──▶ Body ──▶ Responding ───────────▶ Idle
///           ▲  ├───────────▶ LogTail, EventStream ──▶ │
///           │  └───────────▶ Refused                  │
///           └─────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Phase {
    /// No byte has been received.
    New,
    /// The head of a request is being received.
    Head,
    /// A body is being received.
    Body,
    /// A response is being made or sent.
    Responding,
    /// The request was refused without reading its body; the client has a moment to read that.
    Refused,
    /// A log is being followed, until the client closes the connection.
    LogTail,
    /// Events are being sent, until the daemon ends.
    EventStream,
    /// The response has been sent; the next request may come.
    Idle,
}

/// What the eviction needs to know of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct ConnectionStatus {
    pub(in crate::http) phase: Phase,
    /// How long it has been in this phase.
    pub(in crate::http) age: Duration,
    /// How long the client has read nothing of its response.
    pub(in crate::http) stalled: Option<Duration>,
    pub(in crate::http) is_unverified: bool,
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum CloseMode {
    /// After the response in progress.
    AfterResponse,
    /// At once.
    Now,
}

/// The state of one connection.
pub(in crate::http) struct ConnectionState {
    phase: Cell<Phase>,
    phase_since: Cell<Instant>,
    /// Since when the client has read nothing although there is something to read.
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

    /// For the eviction.
    pub(in crate::http) fn status(&self) -> ConnectionStatus {
        ConnectionStatus {
            phase: self.phase.get(),
            age: self.phase_since.get().elapsed(),
            stalled: self.stalled_since.get().map(|since| since.elapsed()),
            is_unverified: self.is_unverified.get(),
        }
    }

    /// The client has shown the password, or has got a response where there is none.
    pub(in crate::http) fn mark_verified(&self) {
        self.is_unverified.set(false);
    }

    pub(in crate::http) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.phase_since.set(Instant::now());
    }

    /// When the bytes that are awaited must have come.
    pub(in crate::http) fn read_deadline(&self) -> Option<Instant> {
        match self.phase.get() {
            Phase::New => Some(self.phase_since.get() + self.limits.first_byte),
            Phase::Head => Some(self.phase_since.get() + self.limits.head_time),
            // `Service::read_body` has the time limit of bodies.
            Phase::Body
            | Phase::Responding
            | Phase::Refused
            | Phase::LogTail
            | Phase::EventStream
            | Phase::Idle => None,
        }
    }

    /// How long the client may read nothing.
    pub(in crate::http) fn stall_limit(&self) -> Duration {
        if self.is_streaming() { self.limits.stream_stall } else { self.limits.write_stall }
    }

    /// Whether the response is a stream without end.
    pub(in crate::http) fn is_streaming(&self) -> bool {
        matches!(self.phase.get(), Phase::LogTail | Phase::EventStream)
    }

    /// The client has read something.
    pub(in crate::http) fn mark_progress(&self) {
        self.stalled_since.set(None);
    }

    /// The client is not reading.
    pub(in crate::http) fn mark_stalled(&self) {
        if self.stalled_since.get().is_none() {
            self.stalled_since.set(Some(Instant::now()));
        }
    }

    /// Whether the client has read nothing for so long that the end of the server does not wait for it.
    pub(in crate::http) fn is_stalled(&self) -> bool {
        self.stalled_since.get().is_some_and(|since| since.elapsed() >= self.limits.close_time)
    }

    /// Asks the connection's task to close it.
    pub(in crate::http) fn request_close(&self, how: CloseMode) {
        self.close_mode.set(Some(how));
        self.close_signal.notify_one();
    }

    /// Waits until the connection is to be closed.
    pub(in crate::http) async fn close_requested(&self) -> CloseMode {
        loop {
            if let Some(how) = self.close_mode.take() {
                return how;
            }
            self.close_signal.notified().await;
        }
    }
}
