//! Output of members and closed pipes: what follows for a member and its event, and the deadlines (30 s for an answer)
//! after which a member is recycled.

use std::time::Duration;

use super::{MemberId, Milestone, Pool, PoolEffect, ResultHandler};
use crate::listener::protocol::{ListenerState, ProtocolMessage, ProtocolViolation, excerpt};
use crate::log_level::Level;

/// A member that wrote stray output, or cannot answer any more, is recycled after this time.
pub(super) const RECYCLE_AFTER: Duration = Duration::from_secs(30);
/// A member that wrote READY once too often must write its RESULT within this time.
const REPEATED_READY_TIMEOUT: Duration = Duration::from_secs(2);
/// A pipe also closes when a process exits: its exit is awaited for this time.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

impl Pool {
    /// What a member wrote on its stdout.
    pub fn on_stdout(&mut self, id: MemberId, mut data: &[u8], now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        // All of it was written before the next event is sent.
        while let Some(message) = self.members[at].parser.next_message(&mut data) {
            self.on_message(at, message, now, &mut out);
        }
        let member = &mut self.members[at];
        if member.recycle_at.is_none() && member.parser.is_in_result() {
            member.recycle_at = Some((now + RECYCLE_AFTER, ProtocolViolation::IncompleteResult));
        }
        self.dispatch(&mut out);
        out
    }

    /// A member's stdin is closed (EPIPE): it takes no more events, and the one it did not take is sent to another, or
    /// waits.
    pub fn on_stdin_closed(&mut self, id: MemberId, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        let member = &mut self.members[at];
        if member.parser.state() == ListenerState::Unknown {
            return out;
        }
        member.parser.close();
        member.recycle_at = Some((now + EXIT_TIMEOUT, ProtocolViolation::ClosedStdin));
        let event = member.event.take();
        let name = member.name.clone();
        if let Some(event) = event {
            let serial = event.serial;
            self.log(&mut out, Level::Debug, || {
                format!("epipe occurred while sending event {serial} to listener {name}")
            });
            self.requeue(event, &mut out);
        }
        self.dispatch(&mut out);
        out
    }

    /// A member's stdout is closed: it can answer nothing more, but it may be working.
    pub fn on_stdout_closed(&mut self, id: MemberId, now: Duration) {
        let Some(at) = self.position(id) else { return };
        let member = &mut self.members[at];
        let works = member.event.is_some();
        if !works && member.parser.state() != ListenerState::Unknown {
            // It is given no more.
            member.parser.close();
        }
        let at = now + if works { RECYCLE_AFTER } else { EXIT_TIMEOUT };
        let earlier = member.recycle_at.filter(|(due, _)| *due <= at);
        member.recycle_at = earlier.or(Some((at, ProtocolViolation::ClosedStdout)));
    }

    /// Recycles the members whose deadline has passed.
    pub(super) fn recycle_overdue(&mut self, now: Duration, out: &mut Vec<PoolEffect>) {
        for at in 0..self.members.len() {
            if let Some((_, violation)) = self.members[at].recycle_at.filter(|(due, _)| *due <= now) {
                self.on_protocol_error(at, violation, now, out);
            }
        }
    }

    fn on_message(&mut self, at: usize, message: ProtocolMessage, now: Duration, out: &mut Vec<PoolEffect>) {
        use ListenerState::{Acknowledged, Ready};
        match message {
            ProtocolMessage::Ready => {
                self.members[at].recycle_at = None;
                self.record_milestone(at, Milestone::Ready, out);
                self.log_state_change(at, Acknowledged, Ready, out);
            }
            ProtocolMessage::Accepted => {
                self.members[at].last_result = Some("OK".into());
                self.accept(at, out);
            }
            ProtocolMessage::Result(data) => self.on_result(at, &data, now, out),
            ProtocolMessage::Whitespace => self.log_of(at, out, Level::Debug, |name| {
                format!("{name}: white space between its answers, which is let pass")
            }),
            ProtocolMessage::StrayOutput => self.on_stray_output(at, now, out),
            ProtocolMessage::RepeatedReady => {
                self.members[at].recycle_at =
                    Some((now + REPEATED_READY_TIMEOUT, ProtocolViolation::Unanswered));
            }
            ProtocolMessage::Error(violation) => self.on_protocol_error(at, violation, now, out),
        }
    }

    fn on_result(&mut self, at: usize, data: &[u8], now: Duration, out: &mut Vec<PoolEffect>) {
        self.members[at].last_result = Some(excerpt(data).into());
        match self.handler {
            ResultHandler::Default => {}
            ResultHandler::AcceptAll => return self.accept(at, out),
            ResultHandler::PrintToStdout => {
                out.push(PoolEffect::Stdout(prefixed(data)));
                return self.accept(at, out);
            }
        }
        let member = &mut self.members[at];
        member.recycle_at = None;
        let name = member.name.clone();
        self.last_rejecter = Some(member.id);
        let event = member.event.take();
        self.record_milestone(at, Milestone::Answered, out);
        self.log_of(at, out, Level::Warn, |name| format!("{name}: event was rejected"));
        self.log_state_change(at, ListenerState::Busy, ListenerState::Acknowledged, out);
        if let Some(event) = event {
            self.delivery_failed(event, &name, "rejected it", now, out);
        }
    }

    fn accept(&mut self, at: usize, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        member.event = None;
        member.recycle_at = None;
        if self.last_rejecter == Some(member.id) {
            self.last_rejecter = None;
        }
        self.answered += 1;
        self.record_milestone(at, Milestone::Answered, out);
        self.log_of(at, out, Level::Debug, |name| format!("{name}: event was processed"));
        self.log_state_change(at, ListenerState::Busy, ListenerState::Acknowledged, out);
    }

    /// Stray output: the member may be working, so it is recycled only after a while.
    fn on_stray_output(&mut self, at: usize, now: Duration, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        member.stray_count += 1;
        member.stray_excerpt.clear();
        let times = member.stray_count;
        let is_awaited = match member.parser.state() {
            ListenerState::Busy => true,
            // A member that has never written READY is starting.
            ListenerState::Acknowledged => member.milestone.is_some(),
            ListenerState::Ready | ListenerState::Unknown => false,
        };
        if is_awaited {
            member.recycle_at.get_or_insert((now + RECYCLE_AFTER, ProtocolViolation::NoReply));
        }
        // Repeated stray output is logged less and less often.
        if times.is_power_of_two() {
            let babble = excerpt(member.parser.stray_output());
            let times = if times == 1 { String::new() } else { format!(", {times} times so far") };
            self.log_of(at, out, Level::Warn, |name| {
                let shown = babble.escape_debug();
                format!(
                    "{name}: babbled: \"{shown}\"{times}; a listener's stdout is for READY and RESULT only"
                )
            });
        }
    }

    fn on_protocol_error(
        &mut self,
        at: usize,
        violation: ProtocolViolation,
        now: Duration,
        out: &mut Vec<PoolEffect>,
    ) {
        let member = &mut self.members[at];
        member.recycle_at = None;
        let from = match violation {
            ProtocolViolation::Unanswered | ProtocolViolation::TooMuchStrayOutput => ListenerState::Busy,
            _ => member.parser.state(),
        };
        member.parser.close();
        let (id, name, event) = (member.id, member.name.clone(), member.event.take());
        self.log_state_change(at, from, ListenerState::Unknown, out);
        self.log_of(at, out, Level::Warn, |name| {
            format!(
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates \
                 the process violated the eventlistener protocol"
            )
        });
        let why = violation.to_string();
        if let Some(event) = event {
            self.delivery_failed(event, &name, &why, now, out);
        }
        out.push(PoolEffect::Restart { member: id, why });
    }

    fn record_milestone(&mut self, at: usize, what: Milestone, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        if member.milestone < Some(what) {
            member.milestone = Some(what);
            out.push(PoolEffect::Milestone { member: member.id, what });
        }
    }

    fn log_state_change(&self, at: usize, from: ListenerState, to: ListenerState, out: &mut Vec<PoolEffect>) {
        self.log_of(at, out, Level::Debug, |name| format!("{name}: {} -> {}", from.name(), to.name()));
    }
}

/// The data of a RESULT as supervisor_stdout's handler prints it: a first line of facts, and the output of a program,
/// each line of it behind `NAME CHANNEL | `. What is no such thing is printed as it is.
fn prefixed(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 64);
    let facts = data.iter().position(|byte| *byte == b'\n').and_then(|end| {
        let line = std::str::from_utf8(&data[..end]).ok()?;
        let fact = |key: &str| {
            line.split_whitespace()
                .filter_map(|token| token.split_once(':'))
                .find_map(|(k, v)| (k == key).then_some(v))
        };
        Some((fact("processname")?, fact("channel")?, &data[end + 1..]))
    });
    let (prefix, text) = match facts {
        Some((name, channel, text)) => (format!("{name} {channel} | "), text),
        None => (String::new(), data),
    };
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_supervisor_stdout_holds_is_printed_line_by_line_behind_the_name_and_channel() {
        let printed = |data: &str| String::from_utf8(prefixed(data.as_bytes())).unwrap();
        let facts = "processname:web groupname:shop pid:7 channel:stderr\n";
        assert_eq!(printed(&format!("{facts}one\ntwo\n")), "web stderr | one\nweb stderr | two\n");
        assert_eq!(printed(&format!("{facts}half")), "web stderr | half\n");
        assert_eq!(printed("no facts\nat all"), "no facts\nat all\n");
        assert_eq!(printed(""), "");
    }
}
