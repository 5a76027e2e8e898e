//! What every language has words for: [`Words`], with a file each. Everything that differs between languages is in there.

use ironlance_core::alerting::incident::{Family, Phase, Severity};

use super::clock::CardClock;
use crate::card::{Fact, ItemStatus, Mark};

/// The name of a fact or a part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Why,
    Now,
    RanFor,
    Ends,
    EndedAt,
    Tries,
    Checked,
    Pid,
    Action,
    Note,
    Times,
    Since,
    Lasted,
    AlsoAffected,
    Runbook,
    Page,
}

impl Label {
    /// The same in every language, for machines.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Why => "why",
            Self::Now => "now",
            Self::RanFor => "ran_for",
            Self::Ends => "ends",
            Self::EndedAt => "ended",
            Self::Tries => "tries",
            Self::Checked => "checked",
            Self::Pid => "pid",
            Self::Action => "action",
            Self::Note => "note",
            Self::Times => "times",
            Self::Since => "since",
            Self::Lasted => "lasted",
            Self::AlsoAffected => "also_affected",
            Self::Runbook => "runbook",
            Self::Page => "page",
        }
    }
}

/// The label of a fact. What tells why is told as that, whatever it is.
pub(super) const fn label_of(fact: &Fact) -> Label {
    match fact {
        Fact::Ended { .. }
        | Fact::SpawnError(_)
        | Fact::Finding(_)
        | Fact::Limit { .. }
        | Fact::Silent { .. } => Label::Why,
        Fact::GaveUp { .. } => Label::Tries,
        Fact::Checked(_) => Label::Checked,
        Fact::RunningSince { .. } | Fact::StateNow(_) => Label::Now,
        Fact::RanFor(_) => Label::RanFor,
        Fact::Ends { .. } => Label::Ends,
        Fact::EndedAt(_) => Label::EndedAt,
        Fact::Pid(_) => Label::Pid,
        Fact::Action(_) => Label::Action,
        Fact::Note(_) => Label::Note,
    }
}

/// What a title says. Names in it are clean.
pub(super) enum Headline<'a> {
    /// One program has a problem.
    Problem { name: &'a str, verb: &'a str },
    /// Several have. `down`: all of them are down.
    Problems { count: usize, down: bool, list: &'a str },
    /// One is well again, after this time in seconds.
    Recovered { name: &'a str, down: bool, seconds: u64 },
    /// Several are.
    AllRecovered { count: usize, list: &'a str },
    /// These still have a problem; the list has the times.
    Still { down: bool, list: &'a str },
    /// What quiet hours held back: the number, and that of those which are not over.
    Quiet { window: &'a str, count: usize, open: usize },
    /// It was acknowledged.
    Acknowledged { list: &'a str, by: &'a str },
    /// No incident: what was done to a program.
    Event { name: &'a str, event: &'a str },
}

/// A language.
pub(super) trait Words: Sync {
    /// The name of a fact or a part.
    fn label(&self, label: Label) -> &'static str;

    /// How much it matters.
    fn severity(&self, severity: Severity) -> &'static str;

    /// What happened, behind the name of the program: `crashed`.
    fn verb(&self, family: Family, phase: Phase) -> &'static str;

    /// The same as a short word, for lists: `crash loop`.
    fn condition(&self, family: Family, phase: Phase) -> &'static str;

    /// How it stands; nothing where it is simply wrong. `running again`, `stopped by an operator`.
    fn status(&self, status: ItemStatus, family: Family) -> Option<&'static str>;

    /// The value of a fact.
    fn fact(&self, fact: &Fact, clock: &CardClock) -> String;

    /// The same as short as it can be, for SMS and titles.
    fn short_fact(&self, fact: &Fact, clock: &CardClock) -> String {
        self.fact(fact, clock)
    }

    /// Between the name of a fact and its value.
    fn colon(&self) -> &'static str;

    /// A span of time.
    fn duration(&self, seconds: u64) -> String;

    /// It is well again after this number of seconds.
    fn recovered_after(&self, seconds: u64) -> String;

    /// A title. With `place`, the name of the host, where it is part of the sentence.
    fn headline(&self, headline: &Headline<'_>, place: Option<&str>) -> String;

    /// The title of a test message.
    fn test(&self, title: &str) -> String;

    /// What the reader has to know of the message.
    fn mark(&self, mark: &Mark, clock: &CardClock) -> String;

    /// Why the message comes late.
    fn late(&self, seconds: u64, reason: &str) -> String;

    /// `what: details, details`: a title and what explains it.
    fn sentence(&self, what: &str, details: &[String]) -> String;

    /// `name (note)`.
    fn with_note(&self, name: &str, note: &str) -> String;

    /// A name and its condition in a list: `shop:web crash loop`.
    fn with_condition(&self, name: &str, condition: &str) -> String;

    /// A list of names, and the number of those that it leaves out.
    fn list(&self, names: &[String], more: usize) -> String;

    /// The line with the names of what is not shown in full.
    fn also(&self, list: &str) -> String;

    /// Above the last lines of a stream.
    fn last_lines(&self, stream: &str) -> String;

    /// The command that acknowledges an incident.
    fn acknowledge(&self, incident: u64) -> String;

    /// `[web1] text`.
    fn on_host(&self, host: &str, text: &str) -> String;

    /// Of a merged line: this number of its processes is well again.
    fn some_again(&self, count: usize) -> String;

    /// What a mail says at its end.
    fn signature(&self, host: &str, supervisor: &str, incidents: &str, receiver: &str) -> String;
}

/// A size in the largest unit that leaves a number before the point: `412 MB`, `1.5 GB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let (whole, tenth) = (bytes / unit, bytes % unit * 10 / unit);
    if tenth == 0 || whole >= 100 { format!("{whole} {name}") } else { format!("{whole}.{tenth} {name}") }
}
