//! A listener pool: [`Pool`] queues events and hands each to the first READY member. The owner steps it and carries out its
//! [`PoolEffect`]s.
//!
//! ```text
//!   offer ──▶ queue ──▶ the first READY member ──▶ RESULT OK: answered
//!               ▲                │
//!               ├── a pause ─────┤ RESULT of anything else, death, broken protocol: back to its place, which is
//!               │                │ before all that came after it, at once, then after a pause
//!               │                └──▶ for the fourth time: a dead letter in the log
//!               └─────────────────── never taken (stdin closed), or its taker was stopped on request, ten times at most:
//!                                    back to its place
//! ```
//!
//! After each call either nothing waits in the queue or no member is READY. An event is with one member at most, and
//! leaves the pool only by an answer, or as dropped, merged or dead, which is counted and logged.

mod answer;
mod queue;
mod recycling;
mod redelivery;
mod statistics;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

pub use self::queue::STATE_EVENT_BYTES;
use self::queue::{Eviction, Queue, QueuedEvent};
pub use self::recycling::{MAX_RECYCLE_PAUSE, MAX_RESTARTS_PER_MINUTE, Recycling};
pub use self::redelivery::{MAX_REDELIVERIES, MAX_WITHDRAWALS};
pub use self::statistics::{BufferUsage, MemberView};
use crate::event::counts::EventCounts;
use crate::event::kind::EventKind;
use crate::event::{Event, wire};
use crate::listener::protocol::{ListenerState, ProtocolParser, ProtocolViolation, ResultRetention, excerpt};
use crate::log_level::Level;
use crate::process::name::{GroupName, ProcessName};

/// The memory limit for queued ticks, output and messages where `buffer_size` is not set (bytes).
pub const MINOR_BYTES: usize = 16 * 1024 * 1024;
/// The further memory limit for queued states (bytes).
pub const STATE_BYTES: usize = 64 * 1024 * 1024;
/// The memory limit of a queue where `buffer_size` is set (bytes): a silent listener must not exhaust the memory.
pub const FIXED_BYTES: usize = 256 * 1024 * 1024;
/// Back-pressure begins at this many queued ticks, outputs and messages, where `buffer_size` is not set.
pub const BACKPRESSURE_EVENTS: usize = 1024;

const _: () = assert!(STATE_BYTES / STATE_EVENT_BYTES >= 1_000_000, "a million states may wait");

/// A process of a pool, by the owner's numbering; lower numbers are tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// How many events may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// `buffer_size` is not set: as many as fit into [`MINOR_BYTES`] and [`STATE_BYTES`]; the least priority is
    /// evicted first.
    Default,
    /// `buffer_size`: when this many wait, the oldest is dropped.
    Fixed(usize),
}

/// What the data of a RESULT means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultHandler {
    /// `OK` is acceptance, anything else a rejection (`default_handler` of dispatchers.py).
    #[default]
    Default,
    /// Every RESULT is acceptance: the configured handler is Python code, which is not run.
    AcceptAll,
    /// The same, and what it holds goes to supervisord's stdout (`event_handler` of supervisor_stdout).
    PrintToStdout,
}

/// Where the request to stop a member came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// A process of its own pool: its work on the event may be what stops it, and would stop it again.
    OwnPool,
    /// Anything else.
    Other,
}

/// What a member has done for the first time since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Milestone {
    /// It has written READY.
    Ready,
    /// It has answered an event.
    Answered,
}

/// What is to be done for a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEffect {
    /// Write `bytes` to the member's stdin.
    Send {
        /// The receiver.
        member: MemberId,
        /// Header and body.
        bytes: Vec<u8>,
    },
    /// A line for the main log.
    Log(Level, String),
    /// The member will take no more events: start it anew. A member that turns out to have died needs no more than
    /// [`Pool::member_exited`], so look for ended processes first.
    Restart {
        /// The member.
        member: MemberId,
        /// The reason.
        why: String,
    },
    /// The member has reached a milestone.
    Milestone {
        /// The member.
        member: MemberId,
        /// The milestone.
        what: Milestone,
    },
    /// Write this to the daemon's own stdout.
    Stdout(Vec<u8>),
}

/// The events and members of one `[eventlistener:x]`. Times are monotonic.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    name: GroupName,
    identifier: String,
    capacity: Capacity,
    handler: ResultHandler,
    queue: Queue,
    /// Events that come back after a pause, and when.
    delayed: Vec<(Duration, QueuedEvent)>,
    /// By their numbers.
    members: Vec<Member>,
    next_serial: u64,
    log_from: Level,
    dropped: EventCounts,
    merged: u64,
    answered: u64,
    dead_letters: EventCounts,
    /// The member that rejected an event last: others are tried first.
    last_rejecter: Option<MemberId>,
    /// The stray output of members that have ended.
    past_stray: BTreeMap<MemberId, (u64, String)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    id: MemberId,
    name: ProcessName,
    parser: ProtocolParser,
    event: Option<QueuedEvent>,
    /// The usual one costs no text.
    last_result: Option<Cow<'static, str>>,
    /// A stop was requested, and from where: it may answer the event it has, and gets no other.
    stop_requested_by: Option<StoppedBy>,
    milestone: Option<Milestone>,
    /// How often it wrote stray output, over its restarts.
    stray_count: u64,
    /// The last stray output of an earlier process.
    stray_excerpt: String,
    /// When it is recycled, and why, unless it answers before.
    recycle_at: Option<(Duration, ProtocolViolation)>,
}

impl Member {
    fn stray_output(&self) -> (u64, String) {
        let excerpt = if self.stray_excerpt.is_empty() {
            excerpt(self.parser.stray_output())
        } else {
            self.stray_excerpt.clone()
        };
        (self.stray_count, excerpt)
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
            delayed: Vec::new(),
            members: Vec::new(),
            next_serial: 0,
            log_from: Level::Blather,
            dropped: EventCounts::default(),
            merged: 0,
            answered: 0,
            dead_letters: EventCounts::default(),
            last_rejecter: None,
            past_stray: BTreeMap::new(),
        }
    }

    /// Log lines below `level` need not be made.
    pub const fn set_log_level(&mut self, level: Level) {
        self.log_from = level;
    }

    /// Takes over the queue of a removed pool of the same name, as far as the new one `wants` its events, and its
    /// counts. Gives the counts of what it does not want.
    pub fn take_over(
        &mut self,
        mut old: Self,
        wants: impl Fn(EventKind) -> bool,
    ) -> (Vec<PoolEffect>, EventCounts) {
        let mut out = Vec::new();
        old.requeue_all();
        self.next_serial = self.next_serial.max(old.next_serial);
        self.merged += old.merged;
        self.answered += old.answered;
        self.dropped = old.dropped;
        self.dead_letters = old.dead_letters;
        let mut unwanted = EventCounts::default();
        while let Some(event) = old.queue.pop() {
            if wants(event.event.kind()) {
                self.enqueue(event, &mut out);
            } else {
                unwanted.add(event.event.kind());
            }
        }
        self.dispatch(&mut out);
        (out, unwanted)
    }

    /// Requeues all events that members have, and those in a pause.
    fn requeue_all(&mut self) {
        let later = std::mem::take(&mut self.delayed).into_iter().map(|(_, event)| event);
        let held = self.members.drain(..).filter_map(|member| member.event);
        let all: Vec<QueuedEvent> = later.chain(held).collect();
        all.into_iter().for_each(|event| self.queue.insert(event));
    }

    /// A process was started; it gets events once it has written READY.
    pub fn add_member(&mut self, id: MemberId, name: ProcessName, now: Duration) -> Vec<PoolEffect> {
        let out = self.member_exited(id, now);
        let at = self.members.partition_point(|member| member.id < id);
        let keep = match self.handler {
            ResultHandler::Default | ResultHandler::AcceptAll => ResultRetention::Excerpt,
            ResultHandler::PrintToStdout => ResultRetention::Full,
        };
        let (count, excerpt) = self.past_stray.remove(&id).unwrap_or_default();
        let member = Member {
            id,
            name,
            parser: ProtocolParser::new(keep),
            event: None,
            last_result: None,
            stop_requested_by: None,
            milestone: None,
            stray_count: count,
            stray_excerpt: excerpt,
            recycle_at: None,
        };
        self.members.insert(at, member);
        out
    }

    /// A process is being stopped. It may still answer the event it has, but gets no other: whether it had dealt with
    /// one that it was given now could not be known.
    pub fn stop_requested(&mut self, id: MemberId, by: StoppedBy) {
        if let Some(at) = self.position(id) {
            self.members[at].stop_requested_by = Some(by);
        }
    }

    /// A process has ended; the event it had is sent to another, or waits.
    pub fn member_exited(&mut self, id: MemberId, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        if let Some(at) = self.position(id) {
            let member = self.members.remove(at);
            // After a requested stop the record of stray output starts anew.
            let was_requested =
                member.stop_requested_by.is_some() && member.parser.state() != ListenerState::Unknown;
            if member.stray_count > 0 && !was_requested {
                self.past_stray.insert(id, member.stray_output());
            }
            if let Some(event) = member.event {
                match member.stop_requested_by {
                    Some(StoppedBy::Other) => self.withdraw(event, &member.name, now, &mut out),
                    Some(StoppedBy::OwnPool) => {
                        self.delivery_failed(event, &member.name, "had itself stopped", now, &mut out);
                    }
                    None => {
                        self.delivery_failed(event, &member.name, "ended without a RESULT", now, &mut out);
                    }
                }
                self.dispatch(&mut out);
            }
        }
        out
    }

    /// An event, with its serial number over the daemon's life.
    pub fn offer(&mut self, serial: u64, event: &Event) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let event = QueuedEvent::new(serial, self.next_serial, event);
        self.next_serial += 1;
        self.enqueue(event, &mut out);
        self.dispatch(&mut out);
        out
    }

    /// Handles the deadlines that have passed. It may be called at any time.
    pub fn wake(&mut self, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        self.recycle_overdue(now, &mut out);
        self.requeue_delayed(now, &mut out);
        self.dispatch(&mut out);
        out
    }

    /// When [`Pool::wake`] is due next.
    pub fn next_deadline(&self) -> Option<Duration> {
        let members = self.members.iter().filter_map(|member| member.recycle_at.map(|(at, _)| at));
        members.chain(self.delayed.iter().map(|(at, _)| *at)).min()
    }

    fn position(&self, id: MemberId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |member| member.id).ok()
    }

    /// Puts a new event into the queue and evicts others for it where it is full.
    fn enqueue(&mut self, event: QueuedEvent, out: &mut Vec<PoolEffect>) {
        while self.is_too_full_for(&event) {
            let lost = match self.capacity {
                Capacity::Fixed(_) => self
                    .queue
                    .pop()
                    .map(|old| Eviction::Dropped { serial: old.serial, kind: old.event.kind() }),
                Capacity::Default => self.queue.evict_for(event.event.kind()),
            };
            match lost {
                Some(Eviction::Dropped { serial, kind }) => self.drop_event(serial, kind, out),
                Some(Eviction::Merged { serial }) => {
                    self.merged += 1;
                    self.log(out, Level::Debug, || {
                        format!("pool {} event buffer is full, leaving out tick event {serial}", self.name)
                    });
                }
                None => return self.drop_event(event.serial, event.event.kind(), out),
            }
        }
        self.queue.insert(event);
    }

    /// Whether another event must be evicted for a new one; never for the only one.
    fn is_too_full_for(&self, new: &QueuedEvent) -> bool {
        let (queue, memory) = (&self.queue, new.memory());
        if queue.is_empty() {
            return false;
        }
        match self.capacity {
            Capacity::Fixed(max) => queue.len() >= max || queue.memory() + memory > FIXED_BYTES,
            Capacity::Default if Queue::is_state(new.event.kind()) => {
                queue.memory() + memory > MINOR_BYTES + STATE_BYTES
            }
            Capacity::Default => queue.minor() > 0 && queue.minor_memory() + memory > MINOR_BYTES,
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
            Capacity::Default if total.is_power_of_two() => self.log(out, Level::Error, || {
                format!(
                    "pool {} event buffer overflowed, discarding event {serial} ({kind}); given up so far: {}",
                    self.name, self.dropped
                )
            }),
            Capacity::Default => {}
        }
    }

    fn dispatch(&mut self, out: &mut Vec<PoolEffect>) {
        while !self.queue.is_empty() {
            let ready = |member: &Member| {
                member.parser.state() == ListenerState::Ready && member.stop_requested_by.is_none()
            };
            let willing = |member: &Member| ready(member) && Some(member.id) != self.last_rejecter;
            let willing = self.members.iter().position(willing);
            let Some(at) = willing.or_else(|| self.members.iter().position(ready)) else { return };
            let Some(event) = self.queue.pop() else { return };
            let bytes = self.envelope(&event);
            let member = &mut self.members[at];
            member.parser.event_sent();
            let (id, serial) = (member.id, event.serial);
            member.event = Some(event);
            out.push(PoolEffect::Send { member: id, bytes });
            self.log_of(at, out, Level::Debug, |name| format!("event {serial} sent to listener {name}"));
        }
    }

    /// Header and body. The length is in characters, as Python listeners read them.
    fn envelope(&self, event: &QueuedEvent) -> Vec<u8> {
        let (head, tail) = wire::body_parts(&event.event);
        let body = head.len() + tail.len();
        let mut text = String::with_capacity(self.identifier.len() + self.name.0.len() + body + 160);
        // Pieces are pushed one by one: that is cheaper than a format with all of them.
        text.push_str("ver:3.0 server:");
        text.push_str(&self.identifier);
        let _ = write!(text, " serial:{} pool:", event.serial);
        text.push_str(&self.name.0);
        let _ = write!(text, " poolserial:{} eventname:", event.pool_serial);
        text.push_str(event.event.kind().name());
        let _ = writeln!(text, " len:{}", head.chars().count() + tail.chars().count());
        text.push_str(&head);
        text.push_str(tail);
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
