//! Where a connection stands: shared by the wire under it, the answer on it, and the seats that may ask it to leave.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::eviction::Standing;
use super::limits::Limits;
use super::phase::Phase;

/// How a connection is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// When it has been answered.
    WhenAnswered,
    /// At once.
    Now,
}

/// The state of one connection.
pub(super) struct Pulse {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when the client has taken nothing of what there is for it.
    stuck: Cell<Option<Instant>>,
    is_stranger: Cell<bool>,
    leave: Cell<Option<Leave>>,
    called: Notify,
    pub(super) limits: Limits,
}

impl Pulse {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            phase: Cell::new(Phase::Fresh),
            since: Cell::new(Instant::now()),
            stuck: Cell::new(None),
            is_stranger: Cell::new(true),
            leave: Cell::new(None),
            called: Notify::new(),
            limits,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// What counts when somebody has to make room.
    pub(super) fn standing(&self) -> Standing {
        Standing {
            phase: self.phase.get(),
            age: self.since.get().elapsed(),
            stuck: self.stuck.get().map(|since| since.elapsed()),
            is_stranger: self.is_stranger.get(),
        }
    }

    /// The client has shown the password, or been answered where there is none.
    pub(super) fn is_known(&self) {
        self.is_stranger.set(false);
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(Instant::now());
    }

    /// When the client must have said what it has to say.
    pub(super) fn read_deadline(&self) -> Option<Instant> {
        match self.phase.get() {
            Phase::Fresh => Some(self.since.get() + self.limits.first_byte),
            Phase::Head => Some(self.since.get() + self.limits.head_time),
            // A body has its time limit where it is read.
            Phase::Body | Phase::Busy | Phase::Refused | Phase::Tail | Phase::Live | Phase::Idle => None,
        }
    }

    /// How long the client may take nothing of what it is sent.
    pub(super) fn stall(&self) -> std::time::Duration {
        if self.is_following() { self.limits.tail_stall } else { self.limits.stall }
    }

    /// Whether the answer goes on for as long as the client stays.
    pub(super) fn is_following(&self) -> bool {
        matches!(self.phase.get(), Phase::Tail | Phase::Live)
    }

    /// The client has taken something.
    pub(super) fn flows(&self) {
        self.stuck.set(None);
    }

    /// The client takes nothing.
    pub(super) fn sticks(&self) {
        if self.stuck.get().is_none() {
            self.stuck.set(Some(Instant::now()));
        }
    }

    /// Whether the client has taken nothing for so long that it is not waited for at the end.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.get().is_some_and(|since| since.elapsed() >= self.limits.farewell)
    }

    /// Asks the connection to leave.
    pub(super) fn ask_to_leave(&self, how: Leave) {
        self.leave.set(Some(how));
        self.called.notify_one();
    }

    /// Waits until the connection is asked to leave.
    pub(super) async fn asked_to_leave(&self) -> Leave {
        loop {
            if let Some(how) = self.leave.take() {
                return how;
            }
            self.called.notified().await;
        }
    }
}
