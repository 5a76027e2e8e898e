//! A listener pool: which events wait, and which listener gets the next.
//!
//! ```text
//!   offer ──▶ queue ──▶ the first READY member ──▶ RESULT OK: answered
//!               ▲                │
//!               └────────────────┴ RESULT of anything else, death, broken protocol, closed stdin:
//!                                  back to its place, which is before all that came after it
//! ```
//!
//! After each call either nothing waits or no member is READY. An event is with one member at most, and leaves the
//! pool only by an answer, or as dropped or merged, which is counted and said.

mod queue;

use std::fmt::Write as _;

use self::queue::{Lost, Queue, Waiting};
use crate::handshake::{Breach, Ear, ListenerState, Said};
use crate::level::Level;
use crate::name::{GroupName, ProcessName};
use crate::notice::Notice;

/// So many bytes of bodies may wait in a pool, whatever its capacity: a mute listener must not eat the memory.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A process of a pool, by the owner's numbering; lower numbers are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// How many events may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// `buffer_size` is not set: [`Capacity::UNSET`] events, and what matters least is dropped first.
    Unset,
    /// `buffer_size`: when so many wait, the oldest is dropped, whatever it is.
    Fixed(usize),
}

impl Capacity {
    /// How many events may wait where `buffer_size` is not set.
    pub const UNSET: usize = 1024;

    /// The number of events.
    pub const fn events(self) -> usize {
        match self {
            Self::Unset => Self::UNSET,
            Self::Fixed(events) => events,
        }
    }
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
}

/// A member as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView<'a> {
    /// Its number.
    pub id: MemberId,
    /// Its name.
    pub name: &'a ProcessName,
    /// What it is about.
    pub state: ListenerState,
    /// The serial of the event it has.
    pub event: Option<u64>,
    /// Its last result, cut where it is long; `None` before the first.
    pub last_result: Option<String>,
}

/// The events and members of one `[eventlistener:x]`.
#[derive(Debug)]
pub struct Pool {
    name: GroupName,
    identifier: String,
    capacity: Capacity,
    queue: Queue,
    /// By their numbers.
    members: Vec<Member>,
    next_serial: u64,
    log_from: Level,
    dropped: u64,
    merged: u64,
    answered: u64,
    /// How often events were rejected since one was dealt with.
    rejections: u32,
    /// Who rejected an event last: others are asked first.
    rejecter: Option<MemberId>,
    paused: bool,
}

#[derive(Debug)]
struct Member {
    id: MemberId,
    name: ProcessName,
    ear: Ear,
    event: Option<Waiting>,
    last: LastResult,
    /// It is being stopped: it may answer the event it has, and gets no other.
    retired: bool,
}

/// A member's last result; the usual one costs no text.
#[derive(Debug)]
enum LastResult {
    None,
    Ok,
    Other(String),
}

impl Pool {
    /// A pool without members. `identifier` is the daemon's, for the header.
    pub const fn new(name: GroupName, identifier: String, capacity: Capacity) -> Self {
        Self {
            name,
            identifier,
            capacity,
            queue: Queue::new(),
            members: Vec::new(),
            next_serial: 0,
            log_from: Level::Blather,
            dropped: 0,
            merged: 0,
            answered: 0,
            rejections: 0,
            rejecter: None,
            paused: false,
        }
    }

    /// Log lines below `level` need not be made.
    pub const fn log_from(&mut self, level: Level) {
        self.log_from = level;
    }

    /// A process was started; it gets events once it has said READY.
    pub fn join(&mut self, id: MemberId, name: ProcessName) -> Vec<PoolEffect> {
        let out = self.leave(id);
        let at = self.members.partition_point(|member| member.id < id);
        let member =
            Member { id, name, ear: Ear::default(), event: None, last: LastResult::None, retired: false };
        self.members.insert(at, member);
        out
    }

    /// A process is being stopped. It may still answer the event it has, but gets no other: whether it had dealt with
    /// one that it was given now could not be known.
    pub fn retire(&mut self, id: MemberId) {
        if let Some(at) = self.position(id) {
            self.members[at].retired = true;
        }
    }

    /// A process has ended; the event it had is sent to another, or waits.
    pub fn leave(&mut self, id: MemberId) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        if let Some(at) = self.position(id) {
            let member = self.members.remove(at);
            if let Some(event) = member.event {
                self.take_back(event, &mut out);
                self.dispatch(&mut out);
            }
        }
        out
    }

    /// An event, with its serial number over the daemon's life.
    pub fn offer(&mut self, serial: u64, notice: &Notice) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let event = Waiting { serial, pool_serial: self.next_serial, notice: notice.clone() };
        self.next_serial += 1;
        let mut fits = true;
        while fits && !self.queue.is_empty() && self.is_too_full_for(&event) {
            fits = self.make_room(&event, &mut out);
        }
        if fits {
            self.queue.insert(event);
        }
        self.dispatch(&mut out);
        out
    }

    /// What a member wrote on its stdout.
    pub fn heard(&mut self, id: MemberId, mut data: &[u8]) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        // All that was said was said before the next event is sent.
        while let Some(said) = self.members[at].ear.next(&mut data) {
            self.understand(at, said, &mut out);
        }
        self.dispatch(&mut out);
        out
    }

    /// A member's stdin is closed (EPIPE): it takes no more events, and the one it did not take is sent to another, or
    /// waits.
    pub fn refused(&mut self, id: MemberId) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        let member = &mut self.members[at];
        if member.ear.state() == ListenerState::Unknown {
            return out;
        }
        member.ear.close();
        let event = member.event.take();
        let name = member.name.clone();
        if let Some(event) = event {
            let serial = event.serial;
            self.log(&mut out, Level::Debug, || {
                format!("epipe occurred while sending event {serial} to listener {name}")
            });
            self.take_back(event, &mut out);
        }
        out.push(PoolEffect::Restart { member: id, why: "closed its stdin".to_owned() });
        self.dispatch(&mut out);
        out
    }

    /// How many events wait; those that members have do not count.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// How many bytes the bodies of waiting events have.
    pub const fn pending_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// How many events may wait.
    pub const fn capacity(&self) -> usize {
        self.capacity.events()
    }

    /// How many events were lost because the buffer was full.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many ticks were dropped in favour of a later one of their type.
    pub const fn merged(&self) -> u64 {
        self.merged
    }

    /// How many events were answered with OK.
    pub const fn answered(&self) -> u64 {
        self.answered
    }

    /// How often events were rejected, by any member, since one was dealt with.
    pub const fn rejections_in_a_row(&self) -> u32 {
        self.rejections
    }

    /// Sends no events until [`Pool::resume`].
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Sends events again.
    pub fn resume(&mut self) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        self.paused = false;
        self.dispatch(&mut out);
        out
    }

    /// The name of the pool.
    pub const fn name(&self) -> &GroupName {
        &self.name
    }

    /// The members, in the order in which they are asked.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        self.members.iter().map(|member| MemberView {
            id: member.id,
            name: &member.name,
            state: member.ear.state(),
            event: member.event.as_ref().map(|event| event.serial),
            last_result: match &member.last {
                LastResult::None => None,
                LastResult::Ok => Some("OK".to_owned()),
                LastResult::Other(result) => Some(result.clone()),
            },
        })
    }

    fn position(&self, id: MemberId) -> Option<usize> {
        self.members.binary_search_by_key(&id, |member| member.id).ok()
    }

    fn understand(&mut self, at: usize, said: Said, out: &mut Vec<PoolEffect>) {
        use ListenerState::{Acknowledged, Busy, Ready};
        match said {
            Said::Ready => self.log_change(at, Acknowledged, Ready, out),
            Said::Done => {
                self.members[at].event = None;
                self.members[at].last = LastResult::Ok;
                self.answered += 1;
                self.rejections = 0;
                self.log_of(at, out, Level::Debug, |name| format!("{name}: event was processed"));
                self.log_change(at, Busy, Acknowledged, out);
            }
            Said::Refused(result) => {
                self.members[at].last = LastResult::Other(result);
                self.rejections = self.rejections.saturating_add(1);
                self.rejecter = Some(self.members[at].id);
                self.log_of(at, out, Level::Warn, |name| format!("{name}: event was rejected"));
                self.log_change(at, Busy, Acknowledged, out);
                if let Some(event) = self.members[at].event.take() {
                    self.take_back(event, out);
                }
            }
            Said::Broken(breach) => self.broken(at, &breach, out),
        }
    }

    fn broken(&mut self, at: usize, breach: &Breach, out: &mut Vec<PoolEffect>) {
        use ListenerState::{Acknowledged, Busy, Ready, Unknown};
        let from = match breach {
            Breach::NotReady { .. } => Acknowledged,
            Breach::Uncalled { .. } => Ready,
            Breach::NoResult { .. } | Breach::LongResult { .. } => Busy,
        };
        if let Breach::NoResult { said } = breach {
            self.log_of(at, out, Level::Warn, |name| format!("{name}: bad result line: '{said}'"));
        }
        self.log_change(at, from, Unknown, out);
        self.log_of(at, out, Level::Warn, |name| {
            format!(
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates \
                 the process violated the eventlistener protocol; restarting it, it {breach}"
            )
        });
        if let Some(event) = self.members[at].event.take() {
            self.take_back(event, out);
        }
        out.push(PoolEffect::Restart { member: self.members[at].id, why: breach.to_string() });
    }

    /// Puts an event back that a member did not deal with.
    fn take_back(&mut self, event: Waiting, out: &mut Vec<PoolEffect>) {
        let (serial, waiting, max) = (event.serial, self.queue.len(), self.capacity.events());
        self.log(out, Level::Debug, || {
            format!("rebuffering event {serial} for pool {} (buf size={waiting}, max={max})", self.name)
        });
        // Where `buffer_size` is not set there may be one more for each member: nothing is lost by a refusal.
        if let Capacity::Fixed(max) = self.capacity
            && waiting >= max
            && let Some(oldest) = self.queue.pop()
        {
            self.drop_event(oldest.serial, out);
        }
        self.queue.insert(event);
    }

    /// Makes room in a full queue; `false` when it is the new event that has to go.
    fn is_too_full_for(&self, new: &Waiting) -> bool {
        self.queue.len() >= self.capacity.events() || self.queue.bytes() + new.notice.body.len() > MAX_BYTES
    }

    fn make_room(&mut self, new: &Waiting, out: &mut Vec<PoolEffect>) -> bool {
        let lost = match self.capacity {
            Capacity::Fixed(_) => self.queue.pop().map_or(Lost::Nothing, |event| Lost::Dropped(event.serial)),
            Capacity::Unset => self.queue.sacrifice(new),
        };
        match lost {
            Lost::Nothing => true,
            Lost::Dropped(serial) => {
                self.drop_event(serial, out);
                true
            }
            Lost::New => {
                self.drop_event(new.serial, out);
                false
            }
            Lost::Merged(serial) => {
                self.merged += 1;
                self.log(out, Level::Debug, || {
                    format!("pool {} event buffer is full, leaving out tick event {serial}", self.name)
                });
                true
            }
        }
    }

    fn drop_event(&mut self, serial: u64, out: &mut Vec<PoolEffect>) {
        self.dropped += 1;
        self.log(out, Level::Error, || {
            format!("pool {} event buffer overflowed, discarding event {serial}", self.name)
        });
    }

    fn dispatch(&mut self, out: &mut Vec<PoolEffect>) {
        while !self.queue.is_empty() && !self.paused {
            let ready = |member: &Member| member.ear.state() == ListenerState::Ready && !member.retired;
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
        let body = &*event.notice.body;
        let mut text = String::with_capacity(self.identifier.len() + self.name.0.len() + body.len() + 160);
        let _ = writeln!(
            text,
            "ver:3.0 server:{} serial:{} pool:{} poolserial:{} eventname:{} len:{}",
            self.identifier,
            event.serial,
            self.name,
            event.pool_serial,
            event.notice.kind.name(),
            body.chars().count()
        );
        text.push_str(body);
        text.into_bytes()
    }

    fn log_change(&self, at: usize, from: ListenerState, to: ListenerState, out: &mut Vec<PoolEffect>) {
        self.log_of(at, out, Level::Debug, |name| format!("{name}: {} -> {}", from.name(), to.name()));
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
