//! When a deliverer carries, waits, hangs up and ends: pure, time is an argument.
//!
//! ```text
//!              nothing left, or time to leave           all have hung up
//!  Delivering ───────────────────────────────▶ HangingUp ───────────────▶ LastLook ──▶ Ended
//!   ▲  │                                          │ something is due         │   nothing new is due
//!   │  │                                          │                          │
//!   └──│──────────────────────────────────────────┴──────────────────────────┘ something new is due
//!      │ stop: when the mails in hand are finished
//!      └──────────────────────────────────────────────────────────────────────────────▶ Ended
//! ```
//!
//! | told | before the end it still tries | it waits for |
//! |---|---|---|
//! | nothing | all that waits, again and again | deadlines of the schedule |
//! | orphaned: the listener is gone | the same, for the time of `linger` | the same |
//! | claimed, and orphaned: another deliverer would take over | as `stop`; while a mail in hand is held up, what is due in the other queues | the mails in hand |
//! | leave | what is due, each alert once | nothing |
//! | stop | nothing | the mails in hand |
//!
//! After each step everything that is due and may be tried is under way. So the machine waits only for a mail in
//! hand, for a connection that is being closed (bounded), or for a deadline; the property test below holds it to that.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::schedule::{QueueKey, Schedule, ScheduleOutcome};

/// How long to wait for the first alert: a listener starts us before it has gathered what to say.
const FIRST_ALERT: Duration = Duration::from_secs(1);
/// How long until something that could not be read or removed is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long the goodbye to all servers may take before we end without it.
const HANG_UP: Duration = Duration::from_secs(10);
/// A mail in hand that has made no step for so long is held up: it keeps who gives over, and must not keep the other
/// queues as well.
const HELD_UP: Duration = Duration::from_secs(3);
/// A mail in hand that has made no step for so long hangs: no step of a carrier takes longer (ten minutes for the
/// longest, a mail's content and the server's answer to it).
pub const OVERDUE: Duration = Duration::from_secs(15 * 60);

/// Where a deliverer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is something to send, now or later.
    Delivering,
    /// Connections are being closed, since then.
    HangingUp(Instant),
    /// The store is looked at once more before the end.
    LastLook,
    /// Over.
    Ended,
}

/// What can happen to a deliverer.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The answer to [`Command::Survey`] and [`Command::LookAgain`], and news: these are in the store.
    Found(Vec<(QueueKey, String)>),
    /// These are not to be sent any more.
    Gone(Vec<String>),
    /// Something could not be read or removed.
    Trouble,
    /// Everything that waits shall be tried at once.
    Nudged,
    /// The listener is gone.
    Orphaned,
    /// Another deliverer would take over.
    Claimed,
    /// Try what is due once more, and end.
    Leave,
    /// Finish the mails in hand, and end.
    Stop,
    /// The mail in hand of this queue has got on.
    Progress(QueueKey),
    /// A try has ended.
    Ended {
        /// By which queue.
        queue: QueueKey,
        /// Which alert.
        id: String,
        /// How.
        outcome: ScheduleOutcome,
        /// Chance, from 0 to 1.
        jitter: f64,
    },
    /// A connection was closed.
    HungUp,
    /// Nothing; a deadline has come.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Look for alerts that are not known yet; answer with [`Input::Found`].
    Survey,
    /// Try again what could not be read or removed; answer with [`Input::Found`].
    LookAgain,
    /// Try this alert.
    Carry(QueueKey, String),
    /// Close all connections, of which there are this many; each answers with [`Input::HungUp`].
    HangUp(usize),
    /// Give a sign of life.
    Heartbeat,
}

/// How a deliverer behaves.
#[derive(Clone, Copy, Debug)]
pub struct DeliverySettings {
    /// For how long to go on without a listener.
    pub linger: Duration,
    /// How often to give a sign of life.
    pub heartbeat: Duration,
    /// The listener hands over alerts by a pipe: while it lives there may be more.
    pub is_fed: bool,
}

/// See the table above.
#[derive(Debug)]
pub struct Machine {
    settings: DeliverySettings,
    phase: Phase,
    schedule: Schedule,
    /// Until when to stay although nothing has come yet.
    stay_until: Option<Instant>,
    look_again: Option<Instant>,
    leave_at: Option<Instant>,
    /// Once it is time to leave, the alerts that were tried since.
    leaving: Option<HashSet<String>>,
    is_orphaned: bool,
    /// Another deliverer waits for the lock.
    is_giving_way: bool,
    is_stopping: bool,
    /// The queues with a connection that nobody has told to close.
    open: HashSet<QueueKey>,
    hanging_up: usize,
    /// When the mail in hand of a queue made its last step.
    got_on: HashMap<QueueKey, Instant>,
    beat_at: Instant,
}

impl Machine {
    /// A deliverer that knows nothing yet. Its first commands come by [`Input::Tick`].
    pub fn new(settings: DeliverySettings, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Delivering,
            schedule: Schedule::default(),
            stay_until: Some(now + FIRST_ALERT),
            look_again: None,
            leave_at: None,
            leaving: None,
            is_orphaned: false,
            is_giving_way: false,
            is_stopping: false,
            open: HashSet::new(),
            hanging_up: 0,
            got_on: HashMap::new(),
            beat_at: now,
        }
    }

    /// Takes what happened, and gives what is to be done now, in order.
    pub fn step(&mut self, input: Input, now: Instant) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Found(found) => {
                if !found.is_empty() {
                    self.stay_until = None;
                }
                found.iter().for_each(|(queue, id)| self.schedule.add(queue, id, now));
                if self.phase == Phase::LastLook {
                    self.phase = if self.has_work() { Phase::Delivering } else { Phase::Ended };
                }
            }
            Input::Gone(ids) => ids.iter().for_each(|id| self.schedule.remove(id)),
            Input::Trouble => self.look_again = Some(now + LOOK_AGAIN),
            Input::Nudged => self.schedule.make_all_due(now),
            Input::Orphaned => {
                self.is_orphaned = true;
                self.leave_at.get_or_insert(now + self.settings.linger);
            }
            Input::Claimed => self.is_giving_way |= self.is_orphaned,
            Input::Leave => {
                self.leaving.get_or_insert_default();
                // The last chance for what has to be written down.
                commands.extend(self.settings.is_fed.then_some(Command::LookAgain));
            }
            Input::Stop => self.is_stopping = true,
            Input::Progress(queue) => {
                if let Some(at) = self.got_on.get_mut(&queue) {
                    *at = now;
                }
            }
            Input::Ended { queue, id, outcome, jitter } => {
                self.got_on.remove(&queue);
                self.schedule.finish(&queue, &id, outcome, now, jitter);
            }
            Input::HungUp => self.hanging_up = self.hanging_up.saturating_sub(1),
            Input::Tick => {}
        }
        self.go_on(now, &mut commands);
        commands
    }

    /// Begins everything that can begin, and ends when nothing is left.
    fn go_on(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if self.phase == Phase::Ended {
            return;
        }
        if self.is_stopping {
            if !self.schedule.is_busy() || self.hangs(now) {
                self.phase = Phase::Ended;
            } else {
                self.heartbeat(now, commands);
            }
            return;
        }
        if self.is_giving_way && !self.schedule.is_busy() {
            self.phase = Phase::Ended;
            return;
        }
        if self.leave_at.is_some_and(|at| at <= now) {
            self.leaving.get_or_insert_default();
        }
        self.stay_until = self.stay_until.filter(|until| now < *until);
        self.heartbeat(now, commands);
        if self.settings.is_fed && !self.schedule.is_empty() {
            // What is only in memory is written down as soon as the disk is well again.
            self.look_again.get_or_insert(now + LOOK_AGAIN);
        }
        if self.look_again.is_some_and(|at| at <= now) {
            self.look_again = None;
            commands.push(Command::LookAgain);
        }
        let tried = self.leaving.as_ref();
        let is_free = self.begins_at().is_none_or(|at| at <= now);
        let begun =
            self.schedule.start_due(now, |id| is_free && tried.is_none_or(|tried| !tried.contains(id)));
        for (queue, id) in begun {
            self.phase = Phase::Delivering;
            if let Some(tried) = &mut self.leaving {
                tried.insert(id.clone());
            }
            self.open.insert(queue.clone());
            self.got_on.insert(queue.clone(), now);
            commands.push(Command::Carry(queue, id));
        }
        if self.has_work() {
            self.phase = Phase::Delivering;
            return;
        }
        if self.phase == Phase::Delivering {
            if !self.open.is_empty() {
                self.hanging_up += self.open.len();
                commands.push(Command::HangUp(self.open.len()));
                self.open.clear();
            }
            self.phase = Phase::HangingUp(now);
        }
        if let Phase::HangingUp(since) = self.phase
            && (self.hanging_up == 0 || since + HANG_UP <= now)
        {
            // To say goodbye to a server takes a moment in which something may have come in.
            self.phase = Phase::LastLook;
            commands.push(Command::Survey);
        }
    }

    fn heartbeat(&mut self, now: Instant, commands: &mut Vec<Command>) {
        if self.beat_at <= now {
            self.beat_at = now + self.settings.heartbeat;
            // Who has a mail in hand that hangs must not look well to those who wait for the outbox.
            commands.extend((!self.hangs(now)).then_some(Command::Heartbeat));
        }
    }

    /// Whether a mail in hand has made no step for too long.
    fn hangs(&self, now: Instant) -> bool {
        self.got_on.values().any(|at| *at + OVERDUE <= now)
    }

    /// Who gives way begins nothing until a mail in hand is held up, which is then.
    fn begins_at(&self) -> Option<Instant> {
        let first = self.got_on.values().min().filter(|_| self.is_giving_way);
        first.map(|at| *at + HELD_UP)
    }

    /// Whether there is a reason to stay.
    fn has_work(&self) -> bool {
        if self.schedule.is_busy() {
            return true;
        }
        if self.leaving.is_some() {
            return false;
        }
        !self.schedule.is_empty()
            || self.look_again.is_some()
            || self.stay_until.is_some()
            || (self.settings.is_fed && !self.is_orphaned)
    }

    /// When to come back, with [`Input::Tick`], though nothing has happened; `None` only when all is over.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.phase == Phase::Ended {
            return None;
        }
        let hang_up = match self.phase {
            Phase::HangingUp(since) => Some(since + HANG_UP),
            Phase::Delivering | Phase::LastLook | Phase::Ended => None,
        };
        let overdue = self.got_on.values().min().map(|at| *at + OVERDUE).filter(|_| self.is_stopping);
        let staying = !self.is_stopping && self.leaving.is_none();
        let due = self.schedule.next_deadline();
        let due = due.map(|due| self.begins_at().map_or(due, |at| at.max(due)));
        let waiting = [due, self.look_again, self.stay_until, self.leave_at];
        let waiting = waiting.into_iter().flatten().filter(|_| staying);
        waiting.chain(hang_up).chain(overdue).chain([self.beat_at]).min()
    }

    /// Where it is.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What waits, and how.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

#[cfg(test)]
mod tests;
