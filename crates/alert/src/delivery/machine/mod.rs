//! When a deliverer attempts, waits, disconnects and ends: [`Machine`], stepped by the dispatcher. Pure: time is an argument.
//!
//! ```text
//!              nothing left, or time to leave           all have hung up
//!  Delivering ───────────────────────────────▶ Disconnecting ───────────────▶ FinalScan ──▶ Ended
//!   ▲  │                                          │ something is due         │   nothing new is due
//!   │  │                                          │                          │
//!   └──│──────────────────────────────────────────┴──────────────────────────┘ something new is due
//!      │ stop: when the mails in hand are finished
//!      └──────────────────────────────────────────────────────────────────────────────▶ Ended
//! ```
//!
//! | input | what it still attempts | it waits for |
//! |---|---|---|
//! | none | all that waits, again and again | deadlines of the schedule |
//! | orphaned: the listener is gone | the same, for the time of `linger` | the same |
//! | handover requested, and orphaned | as `stop`; while a mail in hand is stalled, what is due in the other queues | the mails in hand |
//! | drain | what is due, each alert once | nothing |
//! | stop | nothing | the mails in hand |
//!
//! After each step everything that is due and allowed is in flight. So the machine waits only for a mail in hand, for a
//! connection that is being closed (bounded), or for a deadline; the property test below checks it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::schedule::{QueueKey, Schedule, ScheduleOutcome};

/// How long to wait for the first alert: a listener starts the deliverer before it has gathered the details.
const FIRST_ALERT: Duration = Duration::from_secs(1);
/// How long until something that could not be read or removed is tried again.
const RESCAN_AFTER: Duration = Duration::from_secs(10);
/// How long closing all connections may take before the deliverer ends without it.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A mail in hand without a step for this time is stalled: it delays the handover, and must not delay the other queues.
const STALLED_AFTER: Duration = Duration::from_secs(3);
/// A mail in hand without a step for this time hangs: no step of a channel takes longer (ten minutes for the longest, a
/// mail's content and the server's answer to it).
pub const HUNG_AFTER: Duration = Duration::from_secs(15 * 60);

/// The phase of a deliverer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is something to send, now or later.
    Delivering,
    /// Connections are being closed, since this time.
    Disconnecting(Instant),
    /// The store is scanned once more before the end.
    FinalScan,
    /// It has ended.
    Ended,
}

/// What happens to a deliverer.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// These alerts are in the store: the answer to [`Command::Scan`] and [`Command::Rescan`], or news.
    Found(Vec<(QueueKey, String)>),
    /// These alerts were removed from the store.
    Removed(Vec<String>),
    /// Something could not be read or removed.
    StoreFailed,
    /// Everything that waits is to be attempted now.
    RetryAll,
    /// The listener is gone.
    Orphaned,
    /// Another deliverer wants the lock.
    HandoverRequested,
    /// Attempt what is due once more, and end.
    Drain,
    /// Finish the mails in hand, and end.
    Stop,
    /// The mail in hand of this queue has made a step.
    Progress(QueueKey),
    /// An attempt has ended.
    Finished {
        /// Its queue.
        queue: QueueKey,
        /// The id of the alert.
        id: String,
        /// How it ended.
        outcome: ScheduleOutcome,
        /// A random number from 0 to 1.
        jitter: f64,
    },
    /// A connection was closed.
    Disconnected,
    /// A deadline has come.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// List alerts that are in no queue yet; answer with [`Input::Found`].
    Scan,
    /// Try again what could not be read or removed; answer with [`Input::Found`].
    Rescan,
    /// Attempt this alert.
    Attempt(QueueKey, String),
    /// Close all connections, this number; each answers with [`Input::Disconnected`].
    Disconnect(usize),
    /// Set the heartbeat.
    Heartbeat,
}

/// Times of a deliverer.
#[derive(Clone, Copy, Debug)]
pub struct DeliverySettings {
    /// For how long to go on without a listener.
    pub linger: Duration,
    /// How often to set the heartbeat.
    pub heartbeat: Duration,
    /// Alerts come by a pipe and are only in memory: while the listener lives there may be more.
    pub is_from_memory: bool,
}

/// See the table above.
#[derive(Debug)]
pub struct Machine {
    settings: DeliverySettings,
    phase: Phase,
    schedule: Schedule,
    /// Until when to wait for the first alert.
    first_alert_until: Option<Instant>,
    rescan_at: Option<Instant>,
    drain_at: Option<Instant>,
    /// While it drains: the alerts attempted since it began to.
    draining: Option<HashSet<String>>,
    is_orphaned: bool,
    /// A handover was requested and is due.
    is_yielding: bool,
    is_stopping: bool,
    /// The queues with a connection that was not told to close.
    connected: HashSet<QueueKey>,
    disconnecting: usize,
    /// When the mail in hand of each queue made its last step.
    last_progress: HashMap<QueueKey, Instant>,
    heartbeat_at: Instant,
}

impl Machine {
    /// A deliverer without alerts. Its first commands come by [`Input::Tick`].
    pub fn new(settings: DeliverySettings, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Delivering,
            schedule: Schedule::default(),
            first_alert_until: Some(now + FIRST_ALERT),
            rescan_at: None,
            drain_at: None,
            draining: None,
            is_orphaned: false,
            is_yielding: false,
            is_stopping: false,
            connected: HashSet::new(),
            disconnecting: 0,
            last_progress: HashMap::new(),
            heartbeat_at: now,
        }
    }

    /// Takes an input, and gives the commands to carry out, in order.
    pub fn step(&mut self, input: Input, now: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Found(found) => {
                if !found.is_empty() {
                    self.first_alert_until = None;
                }
                found.iter().for_each(|(queue, id)| self.schedule.add(queue, id, now));
                if self.phase == Phase::FinalScan {
                    self.phase = if self.has_work() { Phase::Delivering } else { Phase::Ended };
                }
            }
            Input::Removed(ids) => ids.iter().for_each(|id| self.schedule.remove(id)),
            Input::StoreFailed => self.rescan_at = Some(now + RESCAN_AFTER),
            Input::RetryAll => self.schedule.make_all_due(now),
            Input::Orphaned => {
                self.is_orphaned = true;
                self.drain_at.get_or_insert(now + self.settings.linger);
            }
            Input::HandoverRequested => self.is_yielding |= self.is_orphaned,
            Input::Drain => {
                self.draining.get_or_insert_default();
                // The last chance to store what is only in memory.
                commands.extend(self.settings.is_from_memory.then_some(Command::Rescan));
            }
            Input::Stop => self.is_stopping = true,
            Input::Progress(queue) => {
                if let Some(at) = self.last_progress.get_mut(&queue) {
                    *at = now;
                }
            }
            Input::Finished { queue, id, outcome, jitter } => {
                self.last_progress.remove(&queue);
                self.schedule.finish(&queue, &id, outcome, now, jitter);
            }
            Input::Disconnected => self.disconnecting = self.disconnecting.saturating_sub(1),
            Input::Tick => {}
        }
        self.advance(now, &mut commands);
        commands
    }

    /// Starts every attempt that can start, and ends when none is left.
    fn advance(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if self.phase == Phase::Ended {
            return;
        }
        if self.is_stopping {
            if !self.schedule.is_busy() || self.is_hung(now) {
                self.phase = Phase::Ended;
            } else {
                self.heartbeat(now, commands);
            }
            return;
        }
        if self.is_yielding && !self.schedule.is_busy() {
            self.phase = Phase::Ended;
            return;
        }
        if self.drain_at.is_some_and(|at| at <= now) {
            self.draining.get_or_insert_default();
        }
        self.first_alert_until = self.first_alert_until.filter(|until| now < *until);
        self.heartbeat(now, commands);
        if self.settings.is_from_memory {
            // What is only in memory is stored as soon as the disk can be used again. Without it there is nothing to wait for.
            let next = self.rescan_at.unwrap_or(now + RESCAN_AFTER);
            self.rescan_at = (!self.schedule.is_empty()).then_some(next);
        }
        if self.rescan_at.is_some_and(|at| at <= now) {
            self.rescan_at = None;
            commands.push(Command::Rescan);
        }
        let tried = self.draining.as_ref();
        let is_free = self.unblocked_at().is_none_or(|at| at <= now);
        let begun =
            self.schedule.start_due(now, |id| is_free && tried.is_none_or(|tried| !tried.contains(id)));
        for (queue, id) in begun {
            self.phase = Phase::Delivering;
            if let Some(tried) = &mut self.draining {
                tried.insert(id.clone());
            }
            self.connected.insert(queue.clone());
            self.last_progress.insert(queue.clone(), now);
            commands.push(Command::Attempt(queue, id));
        }
        if self.has_work() {
            self.phase = Phase::Delivering;
            return;
        }
        if self.phase == Phase::Delivering {
            if !self.connected.is_empty() {
                self.disconnecting += self.connected.len();
                commands.push(Command::Disconnect(self.connected.len()));
                self.connected.clear();
            }
            self.phase = Phase::Disconnecting(now);
        }
        if let Phase::Disconnecting(since) = self.phase
            && (self.disconnecting == 0 || since + DISCONNECT_TIMEOUT <= now)
        {
            // Alerts may have come while connections were closed.
            self.phase = Phase::FinalScan;
            commands.push(Command::Scan);
        }
    }

    fn heartbeat(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if self.heartbeat_at <= now {
            self.heartbeat_at = now + self.settings.heartbeat;
            // A deliverer with a mail that hangs must look stalled to the processes that wait for the lock.
            commands.extend((!self.is_hung(now)).then_some(Command::Heartbeat));
        }
    }

    /// Whether a mail in hand hangs.
    fn is_hung(&self, now: Instant) -> bool {
        self.last_progress.values().any(|at| *at + HUNG_AFTER <= now)
    }

    /// While yielding: when the first mail in hand is stalled; nothing starts before.
    fn unblocked_at(&self) -> Option<Instant> {
        let first = self.last_progress.values().min().filter(|_| self.is_yielding);
        first.map(|at| *at + STALLED_AFTER)
    }

    /// Whether there is a reason not to end.
    fn has_work(&self) -> bool {
        if self.schedule.is_busy() {
            return true;
        }
        if self.draining.is_some() {
            return false;
        }
        !self.schedule.is_empty()
            || self.rescan_at.is_some()
            || self.first_alert_until.is_some()
            || (self.settings.is_from_memory && !self.is_orphaned)
    }

    /// When [`Input::Tick`] is due; `None` only after the end.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Ended {
            return None;
        }
        let hang_up = match self.phase {
            Phase::Disconnecting(since) => Some(since + DISCONNECT_TIMEOUT),
            Phase::Delivering | Phase::FinalScan | Phase::Ended => None,
        };
        let overdue =
            self.last_progress.values().min().map(|at| *at + HUNG_AFTER).filter(|_| self.is_stopping);
        let staying = !self.is_stopping && self.draining.is_none();
        let due = self.schedule.next_deadline();
        let due = due.map(|due| self.unblocked_at().map_or(due, |at| at.max(due)));
        let waiting = [due, self.rescan_at, self.first_alert_until, self.drain_at];
        let waiting = waiting.into_iter().flatten().filter(|_| staying);
        waiting.chain(hang_up).chain(overdue).chain([self.heartbeat_at]).min()
    }

    /// The phase.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The queues.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

#[cfg(test)]
mod tests;
