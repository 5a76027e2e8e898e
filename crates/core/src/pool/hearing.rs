//! What members say, or can say no more, and what follows for them and the event they have.

use std::time::Duration;

use super::{LastResult, MemberId, Pool, PoolEffect, ResultHandler, Shown};
use crate::handshake::{Breach, ListenerState, Said, quote};
use crate::level::Level;

/// So long a member that babbled, or cannot answer any more, may work on before it is recycled.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// So long a member has for its RESULT that said READY once too often.
const ONE_READY_TOO_MANY: Duration = Duration::from_secs(2);
/// A pipe is closed at the end of a process, too: so long its end is waited for.
const LAST_BREATH: Duration = Duration::from_secs(1);

impl Pool {
    /// What a member wrote on its stdout.
    pub fn heard(&mut self, id: MemberId, mut data: &[u8], now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        // All that was said was said before the next event is sent.
        while let Some(said) = self.members[at].ear.next(&mut data) {
            self.understand(at, said, now, &mut out);
        }
        let member = &mut self.members[at];
        if member.due.is_none() && member.ear.is_in_result() {
            member.due = Some((now + PATIENCE, Breach::Unfinished));
        }
        self.dispatch(&mut out);
        out
    }

    /// A member's stdin is closed (EPIPE): it takes no more events, and the one it did not take is sent to another, or
    /// waits.
    pub fn refused(&mut self, id: MemberId, now: Duration) -> Vec<PoolEffect> {
        let mut out = Vec::new();
        let Some(at) = self.position(id) else { return out };
        let member = &mut self.members[at];
        if member.ear.state() == ListenerState::Unknown {
            return out;
        }
        member.ear.close();
        member.due = Some((now + LAST_BREATH, Breach::ClosedStdin));
        let event = member.event.take();
        let name = member.name.clone();
        if let Some(event) = event {
            let serial = event.serial;
            self.log(&mut out, Level::Debug, || {
                format!("epipe occurred while sending event {serial} to listener {name}")
            });
            self.take_back(event, &mut out);
        }
        self.dispatch(&mut out);
        out
    }

    /// A member's stdout is closed: it can say nothing more, but it may be working.
    pub fn fell_silent(&mut self, id: MemberId, now: Duration) {
        let Some(at) = self.position(id) else { return };
        let member = &mut self.members[at];
        let works = member.event.is_some();
        if !works && member.ear.state() != ListenerState::Unknown {
            // It is given no more.
            member.ear.close();
        }
        let at = now + if works { PATIENCE } else { LAST_BREATH };
        let earlier = member.due.filter(|(due, _)| *due <= at);
        member.due = earlier.or(Some((at, Breach::ClosedStdout)));
    }

    /// Members whose time is over.
    pub(super) fn recycle_who_is_due(&mut self, now: Duration, out: &mut Vec<PoolEffect>) {
        for at in 0..self.members.len() {
            if let Some((_, breach)) = self.members[at].due.filter(|(due, _)| *due <= now) {
                self.broken(at, breach, now, out);
            }
        }
    }

    fn understand(&mut self, at: usize, said: Said, now: Duration, out: &mut Vec<PoolEffect>) {
        use ListenerState::{Acknowledged, Ready};
        match said {
            Said::Ready => {
                self.members[at].due = None;
                self.show(at, Shown::Ready, out);
                self.log_change(at, Acknowledged, Ready, out);
            }
            Said::Done => {
                self.members[at].last = LastResult::Ok;
                self.accept(at, out);
            }
            Said::Result(data) => self.answer(at, &data, now, out),
            Said::Blank => self.log_of(at, out, Level::Debug, |name| {
                format!("{name}: white space between its answers, which is let pass")
            }),
            Said::Stray => self.strayed(at, now, out),
            Said::ReadyAgain => {
                self.members[at].due = Some((now + ONE_READY_TOO_MANY, Breach::Unanswered));
            }
            Said::Broken(breach) => self.broken(at, breach, now, out),
        }
    }

    fn answer(&mut self, at: usize, data: &[u8], now: Duration, out: &mut Vec<PoolEffect>) {
        self.members[at].last = LastResult::Other(quote(data));
        match self.handler {
            ResultHandler::Stock => {}
            ResultHandler::Accepting => return self.accept(at, out),
            ResultHandler::ToStdout => {
                out.push(PoolEffect::Stdout(prefixed(data)));
                return self.accept(at, out);
            }
        }
        let member = &mut self.members[at];
        member.due = None;
        let name = member.name.clone();
        self.rejecter = Some(member.id);
        let event = member.event.take();
        self.show(at, Shown::Answer, out);
        self.log_of(at, out, Level::Warn, |name| format!("{name}: event was rejected"));
        self.log_change(at, ListenerState::Busy, ListenerState::Acknowledged, out);
        if let Some(event) = event {
            self.failed(event, &name, "rejected it", now, out);
        }
    }

    fn accept(&mut self, at: usize, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        member.event = None;
        member.due = None;
        if self.rejecter == Some(member.id) {
            self.rejecter = None;
        }
        self.answered += 1;
        self.show(at, Shown::Answer, out);
        self.log_of(at, out, Level::Debug, |name| format!("{name}: event was processed"));
        self.log_change(at, ListenerState::Busy, ListenerState::Acknowledged, out);
    }

    /// Stray output: the member may be working, so it is let go on for a while.
    fn strayed(&mut self, at: usize, now: Duration, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        member.babbles += 1;
        member.babble.clear();
        let times = member.babbles;
        let is_awaited = match member.ear.state() {
            ListenerState::Busy => true,
            // One that has never said READY is starting.
            ListenerState::Acknowledged => member.shown.is_some(),
            ListenerState::Ready | ListenerState::Unknown => false,
        };
        if is_awaited {
            member.due.get_or_insert((now + PATIENCE, Breach::Lost));
        }
        // One that always does it is told of less and less often.
        if times.is_power_of_two() {
            let babble = quote(member.ear.babble());
            let times = if times == 1 { String::new() } else { format!(", {times} times so far") };
            self.log_of(at, out, Level::Warn, |name| {
                let said = babble.escape_debug();
                format!(
                    "{name}: babbled: \"{said}\"{times}; a listener's stdout is for READY and RESULT only"
                )
            });
        }
    }

    fn broken(&mut self, at: usize, breach: Breach, now: Duration, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        member.due = None;
        let from = match breach {
            Breach::Unanswered | Breach::Flood => ListenerState::Busy,
            _ => member.ear.state(),
        };
        member.ear.close();
        let (id, name, event) = (member.id, member.name.clone(), member.event.take());
        self.log_change(at, from, ListenerState::Unknown, out);
        self.log_of(at, out, Level::Warn, |name| {
            format!(
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually indicates \
                 the process violated the eventlistener protocol"
            )
        });
        let why = breach.to_string();
        if let Some(event) = event {
            self.failed(event, &name, &why, now, out);
        }
        out.push(PoolEffect::Restart { member: id, why });
    }

    fn show(&mut self, at: usize, what: Shown, out: &mut Vec<PoolEffect>) {
        let member = &mut self.members[at];
        if member.shown < Some(what) {
            member.shown = Some(what);
            out.push(PoolEffect::Shown { member: member.id, what });
        }
    }

    fn log_change(&self, at: usize, from: ListenerState, to: ListenerState, out: &mut Vec<PoolEffect>) {
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
