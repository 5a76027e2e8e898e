//! The English words of a card: [`English`].

use ironlance_core::alerting::incident::{Family, Phase, Severity};

use super::clean::clean;
use super::clock::{CardClock, span_units};
use super::words::{Headline, Label, Words, size};
use crate::card::{Fact, ItemStatus, Mark};

/// English.
pub(super) struct English;

impl Words for English {
    fn label(&self, label: Label) -> &'static str {
        match label {
            Label::Why => "why",
            Label::Now => "now",
            Label::RanFor => "ran for",
            Label::Ends => "ends",
            Label::EndedAt => "ended",
            Label::Tries => "gave up",
            Label::Checked => "checked",
            Label::Pid => "pid",
            Label::Action => "action",
            Label::Note => "note",
            Label::Times => "times",
            Label::Since => "since",
            Label::Lasted => "lasted",
            Label::AlsoAffected => "also affected",
            Label::Runbook => "runbook",
            Label::Page => "page",
        }
    }

    fn severity(&self, severity: Severity) -> &'static str {
        severity.name()
    }

    fn verb(&self, family: Family, phase: Phase) -> &'static str {
        match (family, phase) {
            (Family::Down, Phase::Backoff) => "exited too quickly",
            (Family::Down, Phase::Crash | Phase::Bad) => "crashed",
            (Family::Down, Phase::Loop | Phase::Flapping) => "is in a crash loop",
            (Family::Down, Phase::Fatal) => "could not be started",
            (Family::Health, Phase::Loop | Phase::Flapping) => "is flapping",
            (Family::Health, _) => "is unhealthy",
            (Family::Memory, _) => "uses too much memory",
            (Family::Cpu, _) => "uses too much CPU time",
            (Family::Heartbeat, _) => "shows no heartbeat",
            (Family::Listener, _) => "does not handle its events",
            (Family::Supervisor, _) => "was gone without a shutdown",
            (Family::Delivery, _) => "cannot be delivered to",
        }
    }

    fn condition(&self, family: Family, phase: Phase) -> &'static str {
        match (family, phase) {
            (Family::Down, Phase::Backoff) => "backoff",
            (Family::Down, Phase::Crash | Phase::Bad) => "crashed",
            (Family::Down, Phase::Loop | Phase::Flapping) => "crash loop",
            (Family::Down, Phase::Fatal) => "fatal",
            (Family::Health, Phase::Loop | Phase::Flapping) => "flapping",
            (Family::Health, _) => "unhealthy",
            (Family::Memory, _) => "memory",
            (Family::Cpu, _) => "cpu",
            (Family::Heartbeat, _) => "no heartbeat",
            (Family::Listener, _) => "listener",
            (Family::Supervisor, _) => "was gone",
            (Family::Delivery, _) => "undelivered",
        }
    }

    fn status(&self, status: ItemStatus, family: Family) -> Option<&'static str> {
        Some(match status {
            ItemStatus::Firing => return None,
            ItemStatus::UpAgain if family == Family::Down => "running again",
            ItemStatus::UpAgain => "well again",
            ItemStatus::Recovered => "recovered",
            ItemStatus::StoppedByOperator => "stopped by an operator",
            ItemStatus::Removed => "removed from the configuration",
            ItemStatus::Shutdown => "stopped with the supervisor",
            ItemStatus::Started => "started",
            ItemStatus::Stopped => "stopped",
            ItemStatus::Finished => "exited as expected",
        })
    }

    fn fact(&self, fact: &Fact, clock: &CardClock) -> String {
        match fact {
            Fact::Ended { signal: Some(signal), oom: true, .. } => {
                format!("killed by {}, by the kernel: out of memory", clean(signal))
            }
            Fact::Ended { signal: Some(signal), core, .. } => {
                format!("killed by {}{}", clean(signal), if *core { ", core dumped" } else { "" })
            }
            Fact::Ended { status: Some(status), .. } => format!("exit status {status}"),
            Fact::Ended { .. } => "ended for an unknown reason".to_owned(),
            Fact::SpawnError(error) => format!("cannot be started: {}", clean(error)),
            Fact::GaveUp { tries: 1 } => "after 1 try".to_owned(),
            Fact::GaveUp { tries } => format!("after {tries} tries"),
            Fact::Finding(text) | Fact::Checked(text) | Fact::Action(text) | Fact::Note(text) => clean(text),
            Fact::Limit { measure, reading, limit } if measure == "cpu" => {
                format!("{reading}% of a core, limit {limit}%")
            }
            Fact::Limit { measure, reading, limit } => {
                format!("{} {}, limit {}", clean(measure), size(*reading), size(*limit))
            }
            Fact::Silent { seconds, limit } => {
                format!("nothing heard for {}, limit {}", self.duration(*seconds), self.duration(*limit))
            }
            Fact::RunningSince { at, pid } => {
                let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
                format!("running again since {}{pid}", clock.time(*at))
            }
            Fact::StateNow(state) => match state.as_str() {
                "FATAL" => "FATAL: not started any more".to_owned(),
                "BACKOFF" => "BACKOFF: waits to be started again".to_owned(),
                state => clean(state),
            },
            Fact::RanFor(millis) if *millis < 1000 => format!("0.{} s", millis / 100),
            Fact::RanFor(millis) => self.duration(millis / 1000),
            Fact::Ends { count, window } => format!("{count} in {}", self.duration(*window)),
            Fact::EndedAt(at) => clock.full(*at),
            Fact::Pid(pid) => pid.to_string(),
        }
    }

    fn short_fact(&self, fact: &Fact, clock: &CardClock) -> String {
        match fact {
            Fact::Ended { signal: Some(signal), oom: true, .. } => {
                format!("killed by {} (out of memory)", clean(signal))
            }
            Fact::GaveUp { tries: 1 } => "1 try".to_owned(),
            Fact::GaveUp { tries } => format!("{tries} tries"),
            fact => self.fact(fact, clock),
        }
    }

    fn colon(&self) -> &'static str {
        ": "
    }

    fn duration(&self, seconds: u64) -> String {
        let units = span_units(seconds);
        let units = units.iter().map(|(count, unit)| format!("{count} {}", ["d", "h", "min", "s"][*unit]));
        units.collect::<Vec<_>>().join(" ")
    }

    fn recovered_after(&self, seconds: u64) -> String {
        format!("recovered after {}", self.duration(seconds))
    }

    fn headline(&self, headline: &Headline<'_>, place: Option<&str>) -> String {
        let on = place.map(|host| format!(" on {host}")).unwrap_or_default();
        let problems = |down: bool, count: usize| match (down, count) {
            (true, 1) => "program down",
            (true, _) => "programs down",
            (false, 1) => "problem",
            (false, _) => "problems",
        };
        match headline {
            Headline::Problem { name, verb } => format!("{name} {verb}{on}"),
            Headline::Problems { count, down, list } => {
                format!("{count} {}{on}: {list}", problems(*down, *count))
            }
            Headline::Recovered { name, down, seconds } => {
                let spent = if *down { ", down for" } else { " after" };
                format!("{name} recovered{on}{spent} {}", self.duration(*seconds))
            }
            Headline::AllRecovered { count, list } => format!("{count} recovered{on}: {list}"),
            Headline::Still { down, list } => {
                format!("still {}{on}: {list}", if *down { "down" } else { "not well" })
            }
            Headline::Quiet { window, count, open } => {
                let window = if window.is_empty() { String::new() } else { format!(" ({window})") };
                let rest = match open {
                    0 => "all over".to_owned(),
                    open => format!("{open} not over"),
                };
                format!("while it was quiet{on}{window}: {count}, {rest}")
            }
            Headline::Acknowledged { list, by: "" } => format!("acknowledged{on}: {list}"),
            Headline::Acknowledged { list, by } => format!("acknowledged by {by}{on}: {list}"),
            Headline::Event { name, event } => format!("{name} {event}{on}"),
        }
    }

    fn test(&self, title: &str) -> String {
        format!("test message: {title}")
    }

    fn mark(&self, mark: &Mark, clock: &CardClock) -> String {
        let because = |comment: &str| match clean(comment).as_str() {
            "" => String::new(),
            comment => format!(": {comment}"),
        };
        match mark {
            Mark::NotAcknowledged { receiver, seconds } => {
                format!("not acknowledged for {} by {}", self.duration(*seconds), clean(receiver))
            }
            Mark::NotDelivered { receiver, reason } => {
                format!("not delivered to {}{}", clean(receiver), because(reason))
            }
            Mark::Silenced { by, until, comment } => {
                format!("was silenced by {} until {}{}", clean(by), clock.minute(*until), because(comment))
            }
            Mark::SilencedWindow { name, window, comment } => {
                format!("was silenced by [silence:{}], {}{}", clean(name), clean(window), because(comment))
            }
            Mark::Quiet { window } => format!("was held back in quiet hours, {}", clean(window)),
            Mark::Inhibited { program } => format!("was held back while {} was not well", clean(program)),
            Mark::AcknowledgedBy { by, comment } => {
                format!("acknowledged by {}{}", clean(by), because(comment))
            }
            Mark::NoLongerReported => "no longer reported to this receiver".to_owned(),
        }
    }

    fn late(&self, seconds: u64, reason: &str) -> String {
        match clean(reason).as_str() {
            "" => format!("told {} late", self.duration(seconds)),
            reason => format!("told {} late: {reason}", self.duration(seconds)),
        }
    }

    fn sentence(&self, what: &str, details: &[String]) -> String {
        if details.is_empty() { what.to_owned() } else { format!("{what}: {}", details.join(", ")) }
    }

    fn with_note(&self, name: &str, note: &str) -> String {
        format!("{name} ({note})")
    }

    fn with_condition(&self, name: &str, condition: &str) -> String {
        format!("{name} {condition}")
    }

    fn list(&self, names: &[String], more: usize) -> String {
        let names = names.join(", ");
        match (names.is_empty(), more) {
            (_, 0) => names,
            (true, more) => format!("{more} more"),
            (false, more) => format!("{names}, +{more} more"),
        }
    }

    fn also(&self, list: &str) -> String {
        format!("also: {list}")
    }

    fn last_lines(&self, stream: &str) -> String {
        format!("Last lines of {}", clean(stream))
    }

    fn acknowledge(&self, incident: u64) -> String {
        format!("ack: ironlance alerts ack {incident}")
    }

    fn on_host(&self, host: &str, text: &str) -> String {
        format!("[{host}] {text}")
    }

    fn some_again(&self, count: usize) -> String {
        format!("{count} running again")
    }

    fn signature(&self, host: &str, supervisor: &str, incidents: &str, receiver: &str) -> String {
        format!("ironlance on {host} ({supervisor}), {incidents}, sent to you by [alert:{receiver}]")
    }
}
