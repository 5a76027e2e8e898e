//! A listener pool: which events wait, and which listener gets the next.
//!
//! ```text
//!   offer ──▶ queue ──▶ the first READY member ──▶ RESULT OK: answered
//!               ▲                │
//!               ├── a pause ─────┤ RESULT of anything else, death, broken protocol: back to its place, which is
//!               │                │ before all that came after it, at once, then after a pause
//!               │                └──▶ for the fourth time: a dead letter in the log
//!               └─────────────────── never taken (stdin closed), or its taker was told to stop, ten times at most:
//!                                    back to its place
//! ```
//!
//! After each call either nothing waits in the queue or no member is READY. An event is with one member at most, and
//! leaves the pool only by an answer, or as dropped, merged or dead, which is counted and said.

mod hearing;
mod queue;
mod recycling;
mod redelivery;
mod view;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

pub use self::queue::STATE_EVENT;
use self::queue::{Lost, Queue, Waiting};
pub use self::recycling::{LONGEST_PAUSE, MOST_A_MINUTE, Recycling};
pub use self::redelivery::{MOST_AGAIN, MOST_WITHDRAWALS};
pub use self::view::{Buffer, MemberView};
use crate::handshake::{Breach, Ear, Keep, ListenerState, quote};
use crate::kind::EventKind;
use crate::level::Level;
use crate::name::{GroupName, ProcessName};
use crate::notice::Notice;
use crate::tally::Tally;

/// So much memory ticks, output and messages may take that wait in a pool where `buffer_size` is not set (bytes).
pub const MINOR_BYTES: usize = 16 * 1024 * 1024;
/// So much more there is for states (bytes).
pub const STATE_BYTES: usize = 64 * 1024 * 1024;
/// So much may wait in a pool where it is set (bytes): a mute listener must not eat the memory.
pub const FIXED_BYTES: usize = 256 * 1024 * 1024;
/// So many ticks, outputs and messages may wait before those who make them are held up, where `buffer_size` is not set.
pub const BUSY: usize = 1024;

const _: () = assert!(STATE_BYTES / STATE_EVENT >= 1_000_000, "a million states may wait");

/// A process of a pool, by the owner's numbering; lower numbers are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// How many events may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// `buffer_size` is not set: as many as fit into [`MINOR_BYTES`] and [`STATE_BYTES`], and what matters least is
    /// dropped first.
    Unset,
    /// `buffer_size`: when so many wait, the oldest is dropped, whatever it is.
    Fixed(usize),
}

/// What the data of a RESULT means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultHandler {
    /// `OK` is acceptance, anything else a rejection (`default_handler` of dispatchers.py).
    #[default]
    Stock,
    /// Every RESULT is acceptance: the handler that knows better is Python code.
    Accepting,
    /// The same, and what it holds goes to supervisord's stdout (`event_handler` of supervisor_stdout).
    ToStdout,
}

/// Who has a member stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// A process of its own pool: its work on the event may be what stops it, and would stop it again.
    Itself,
    /// Anybody else.
    Others,
}

/// What a member has shown for the first time since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// It has said READY.
    Ready,
    /// It has answered an event.
    Answer,
}

/// What is to be done for a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEffect {
    /// Write `bytes` to the member's stdin.
    Send {
        /// To whom.
        member: MemberId,
        /// Header and body.
        bytes: Vec<u8>,
    },
    /// A line for the main log.
    Log(Level, String),
    /// The member will take no more events: start it anew. A member that turns out to have died needs no more than
    /// [`Pool::leave`], so look for ended processes first.
    Restart {
        /// Whom.
        member: MemberId,
        /// The reason.
        why: String,
    },
    /// The member has shown that it works.
    Shown {
        /// Who.
        member: MemberId,
        /// What.
        what: Shown,
    },
    /// Write this to the daemon's own stdout.
    Stdout(Vec<u8>),
}

/// The events and members of one `[eventlistener:x]`. Times are monotonic.
#[derive(Debug)]
pub struct Pool {
    name: GroupName,
    identifier: String,
    capacity: Capacity,
    handler: ResultHandler,
    queue: Queue,
    /// Events that come back after a pause, and when.
    later: Vec<(Duration, Waiting)>,
    /// By their numbers.
    members: Vec<Member>,
    next_serial: u64,
    log_from: Level,
    dropped: Tally,
    merged: u64,
    answered: u64,
    dead: Tally,
    /// Who rejected an event last: others are asked first.
    rejecter: Option<MemberId>,
    /// The stray output of members that have ended.
    past: BTreeMap<MemberId, (u64, String)>,
}

#[derive(Debug)]
struct Member {
    id: MemberId,
    name: ProcessName,
    ear: Ear,
    event: Option<Waiting>,
    last: LastResult,
    /// It is being stopped, and by whom: it may answer the event it has, and gets no other.
    retired: Option<StoppedBy>,
    shown: Option<Shown>,
    /// How often it had stray output, over its restarts.
    babbles: u64,
    /// The last of a process before this one.
    babble: String,
    /// When it is recycled, and why, if it does not help itself before.
    due: Option<(Duration, Breach)>,
}

/// A member's last result; the usual one costs no text.
#[derive(Debug)]
enum LastResult {
    None,
    Ok,
    Other(String),
}

impl Member {
    fn babbled(&self) -> (u64, String) {
        let babble = if self.babble.is_empty() { quote(self.ear.babble()) } else { self.babble.clone() };
        (self.babbles, babble)
    }
}

impl Pool {
    /// A pool without members. `identifier` is the daemon's, for the header.
    pub fn new(name: GroupName, identifier: String, capacity: Capacity, handler: ResultHandler) -> Self {
        Self {
            name,
            identifier,
            capacity,
            handler,
            queue: Queue::default(),
            later: Vec::new(),
            members: Vec::new(),
            next_serial: 0,
            log_from: Level::Blather,
            dropped: Tally::default(),
            merged: 0,
            answered: 0,
            dead: Tally::default(),
            rejecter: None,
            past: BTreeMap::new(),
        }
    }

    /// Log lines below `level` need not be made.
    pub const fn log_from(&mut self, level: Level) {
        self.log_from = level;
    }

    /// Takes over what waits in a pool of the same name that is no more, as far as the new one `wants` it, and its
    /// counts. Gives what it does not want.
    pub fn inherit(&mut self, mut old: Self, wants: impl Fn(EventKind) -> bool) -> (Vec<PoolEffect>, Tally) {
        let mut out = Vec::new();
        old.gather();
        self.next_serial = self.next_serial.max(old.next_serial);
        self.merged += old.merged;
        self.answered += old.answered;
        self.dropped = old.dropped;
        self.dead = old.dead;
        let mut unwanted = Tally::default();
        while let Some(event) = old.queue.pop() {
            if wants(event.kind) {
                self.enqueue(event, &mut out);
            } else {
                unwanted.add(event.kind);
            }
        }
        self.dispatch(&mut out);
        (out, unwanted)
    }

    /// Takes all events back that members have: nobody is left to answer them.
    fn gather(&mut self) {
        let later = std::mem::take(&mut self.later).into_iter().map(|(_, event)| event);
        let held = self.members.drain(..).filter_map(|member| member.event);
        let all: Vec<Waiting> = later.chain(held).collect();
        all.into_iter().for_each(|event| self.queue.insert(event));
    }

    /// A process was started; it gets events once it has said READY.
    pub fn join(&mut self, id: MemberId, name: ProcessName, now: Duration) -> Vec<PoolEffect> {
        let out = self.leave(id, now);
        let at = self.members.partition_point(|member| member.id < id);
        let keep = match self.handler {
            ResultHandler::Stock | ResultHandler::Accepting => Keep::Beginning,
            ResultHandler::ToStdout => Keep::Whole,
        };
        let (babbles, babble) = self.past.remove(&id).unwrap_or_default();
        let member = Member {
            id,
            name,
            ear: Ear::new(keep),
            event: None,
            last: LastResult::None,
            retired: None,
            shown: None,
            babbles,
            babble,
            due: None,
        };
        self.members.insert(at, member);
        out
    }

    /// A process is being stopped. It may still answer the event it has, but gets no other: whether it had dealt with
    /// one that it was given now could not be known.
    pub fn retire(&mut self, id: MemberId, by: StoppedBy) {
        if let Some(at) = self.position(id) {
            self.members[at].retired = Some(by);
        }
    }

    /// A process has ended; the event it had is sent to another, or waits.
    pub fn leave(&mut self, id: MemberId, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        if let Some(at) = self.position(id) {
            let member = self.members.remove(at);
            // Whoever stops a listener looks after it.
            let was_told = member.retired.is_some() && member.ear.state() != ListenerState::Unknown;
            if member.babbles > 0 && !was_told {
                self.past.insert(id, member.babbled());
            }
            if let Some(event) = member.event {
                match member.retired {
                    Some(StoppedBy::Others) => self.withdraw(event, &member.name, now, &mut out),
                    Some(StoppedBy::Itself) => {
                        self.failed(event, &member.name, "had itself stopped", now, &mut out);
                    }
                    None => self.failed(event, &member.name, "ended without a RESULT", now, &mut out),
                }
                self.dispatch(&mut out);
            }
        }
        out
    }

    /// An event, with its serial number over the daemon's life.
    pub fn offer(&mut self, serial: u64, notice: &Notice) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let event = Waiting::new(serial, self.next_serial, notice);
        self.next_serial += 1;
        self.enqueue(event, &mut out);
        self.dispatch(&mut out);
        out
    }

    /// Deadlines that have come, or may have; never wrong.
    pub fn wake(&mut self, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        self.recycle_who_is_due(now, &mut out);
        self.bring_back(now, &mut out);
        self.dispatch(&mut out);
        out
    }

    /// When [`Pool::wake`] is due next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let members = self.members.iter().filter_map(|member| member.due.map(|(at, _)| at));
        members.chain(self.later.iter().map(|(at, _)| *at)).min()
    }

    fn position(&self, id: MemberId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |member| member.id).ok()
    }

    /// Puts a new event into the queue, where something has to go for it if need be.
    fn enqueue(&mut self, event: Waiting, out: &mut Vec<PoolEffect>) {
        while self.is_too_full_for(&event) {
            let lost = match self.capacity {
                Capacity::Fixed(_) => {
                    self.queue.pop().map(|old| Lost::Dropped { serial: old.serial, kind: old.kind })
                }
                Capacity::Unset => self.queue.sacrifice(event.kind),
            };
            match lost {
                Some(Lost::Dropped { serial, kind }) => self.drop_event(serial, kind, out),
                Some(Lost::Merged { serial }) => {
                    self.merged += 1;
                    self.log(out, Level::Debug, || {
                        format!("pool {} event buffer is full, leaving out tick event {serial}", self.name)
                    });
                }
                None => return self.drop_event(event.serial, event.kind, out),
            }
        }
        self.queue.insert(event);
    }

    /// Whether something has to go for a new event; never for the only one.
    fn is_too_full_for(&self, new: &Waiting) -> bool {
        let (queue, cost) = (&self.queue, new.cost());
        if queue.is_empty() {
            return false;
        }
        match self.capacity {
            Capacity::Fixed(max) => queue.len() >= max || queue.cost() + cost > FIXED_BYTES,
            Capacity::Unset if Queue::is_state(new.kind) => queue.cost() + cost > MINOR_BYTES + STATE_BYTES,
            Capacity::Unset => queue.minor() > 0 && queue.minor_cost() + cost > MINOR_BYTES,
        }
    }

    fn drop_event(&mut self, serial: u64, kind: EventKind, out: &mut Vec<PoolEffect>) {
        self.dropped.add(kind);
        let total = self.dropped.total();
        match self.capacity {
            Capacity::Fixed(_) => self.log(out, Level::Error, || {
                format!("pool {} event buffer overflowed, discarding event {serial}", self.name)
            }),
            // There may be a million of them.
            Capacity::Unset if total.is_power_of_two() => self.log(out, Level::Error, || {
                format!(
                    "pool {} event buffer overflowed, discarding event {serial} ({kind}); given up so far: {}",
                    self.name, self.dropped
                )
            }),
            Capacity::Unset => {}
        }
    }

    fn dispatch(&mut self, out: &mut Vec<PoolEffect>) {
        while !self.queue.is_empty() {
            let ready =
                |member: &Member| member.ear.state() == ListenerState::Ready && member.retired.is_none();
            let willing = |member: &Member| ready(member) && Some(member.id) != self.rejecter;
            let willing = self.members.iter().position(willing);
            let Some(at) = willing.or_else(|| self.members.iter().position(ready)) else { return };
            let Some(event) = self.queue.pop() else { return };
            let bytes = self.envelope(&event);
            let member = &mut self.members[at];
            member.ear.event_sent();
            let (id, serial) = (member.id, event.serial);
            member.event = Some(event);
            out.push(PoolEffect::Send { member: id, bytes });
            self.log_of(at, out, Level::Debug, |name| format!("event {serial} sent to listener {name}"));
        }
    }

    /// Header and body. The length is in characters, as Python listeners read them.
    fn envelope(&self, event: &Waiting) -> Vec<u8> {
        let body = event.body.text();
        let mut text = String::with_capacity(self.identifier.len() + self.name.0.len() + body.len() + 160);
        // Pieces are pushed one by one: that is cheaper than a format with all of them.
        text.push_str("ver:3.0 server:");
        text.push_str(&self.identifier);
        let _ = write!(text, " serial:{} pool:", event.serial);
        text.push_str(&self.name.0);
        let _ = write!(text, " poolserial:{} eventname:", event.pool_serial);
        text.push_str(event.kind.name());
        let _ = writeln!(text, " len:{}", body.chars().count());
        text.push_str(&body);
        text.into_bytes()
    }

    fn log_of(
        &self,
        at: usize,
        out: &mut Vec<PoolEffect>,
        level: Level,
        line: impl FnOnce(&ProcessName) -> String,
    ) {
        self.log(out, level, || line(&self.members[at].name));
    }

    fn log(&self, out: &mut Vec<PoolEffect>, level: Level, line: impl FnOnce() -> String) {
        if level >= self.log_from {
            out.push(PoolEffect::Log(level, line()));
        }
    }
}

#[cfg(test)]
mod tests;
