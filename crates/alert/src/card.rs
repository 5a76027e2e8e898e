//! A message of `ironlance watch` as data: [`Card`], what one receiver is told at once. `render` makes a channel's dialect
//! of it when it is sent: language, cutting and signing happen then.

use std::collections::BTreeMap;

use ironlance_core::alerting::incident::{Family, Phase, Severity};
use serde::{Deserialize, Serialize};

/// What one receiver is told at once. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What sort of message it is.
    pub kind: CardKind,
    /// The highest severity of its items.
    pub severity: Severity,
    /// What this host is called.
    pub host: String,
    /// The identifier of the supervisor.
    pub supervisor: String,
    /// When it was made.
    pub at: i64,
    /// The IANA name of the zone that its times are shown in; the system's where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub timezone: String,
    /// The language that it is read in.
    pub language: Language,
    /// The receiver, `[alert:x]`'s `x`.
    pub receiver: String,
    /// The page of the supervisor, for links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it is about; by severity, then by age. Never empty.
    pub items: Vec<CardItem>,
    /// The number of further incidents that it does not list.
    #[serde(default)]
    pub more: usize,
    /// What the reader has to know of the message itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// `labels=` of the receiver.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What sort of message a card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardKind {
    /// Something is wrong that the receiver did not know.
    Firing,
    /// What it knew has become worse.
    Worse,
    /// What it knew is over.
    Recovered,
    /// What it knew is still wrong.
    Reminder,
    /// What was held back by quiet hours.
    Digest,
    /// What was held back by a silence or another incident, and is still wrong.
    Held,
    /// It was acknowledged; only channels that keep incidents get this.
    Acknowledged,
    /// A test message.
    Test,
}

/// A language of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Simplified Chinese.
    #[serde(rename = "zh")]
    Chinese,
}

/// One incident of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardItem {
    /// The number of the incident, unique in this state folder.
    pub incident: u64,
    /// The name of the program as people write it: `NAME` or `GROUP:NAME`.
    pub program: String,
    /// Its group.
    pub group: String,
    /// What it is about.
    pub family: Family,
    /// How bad it is, or was at worst where it is over.
    pub phase: Phase,
    /// How much it matters.
    pub severity: Severity,
    /// How it stands.
    pub status: ItemStatus,
    /// What is known, in the order in which it is shown. The first is why.
    pub facts: Vec<Fact>,
    /// The last lines of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<CardTail>,
    /// Since when it is wrong.
    pub since: i64,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// How many times it happened in this incident.
    pub times: u32,
    /// `runbook=` of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// Programs that depend on it and are down because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// `labels=` of the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// How an incident stands at the time of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// It is wrong.
    Firing,
    /// It is well at the moment, and not yet for long enough to be over.
    UpAgain,
    /// It is over.
    Recovered,
    /// An operator stopped the program.
    StoppedByOperator,
    /// The program was removed from the configuration.
    Removed,
    /// The supervisor stopped.
    Shutdown,
    /// No incident: the program was started.
    Started,
    /// No incident: the program was stopped.
    Stopped,
    /// No incident: the program exited with an expected status.
    Finished,
}

/// Something that is known of an incident. Each language has its own words for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// How the process ended.
    Ended {
        /// The exit status, where it exited.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<i32>,
        /// The name of the signal, where one killed it: `SIGKILL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
        /// The kernel killed it for lack of memory.
        #[serde(default)]
        oom: bool,
        /// It dumped core.
        #[serde(default)]
        core: bool,
    },
    /// Why it could not be started: the words of the supervisor.
    SpawnError(String),
    /// It was given up after this number of attempts to start it.
    GaveUp {
        /// The number of attempts.
        tries: u32,
    },
    /// What a check found: its name where the program has several, and the words of the finding.
    Finding(String),
    /// What was checked, without secrets.
    Checked(String),
    /// It exceeds a limit.
    Limit {
        /// What was measured: `rss`, `pss`, `cgroup`, `cpu`.
        measure: String,
        /// The reading: bytes, or percent of one core.
        reading: u64,
        /// The limit in the same unit.
        limit: u64,
    },
    /// Nothing was heard for this number of seconds; the limit in seconds.
    Silent {
        /// Seconds of silence.
        seconds: u64,
        /// The limit in seconds.
        limit: u64,
    },
    /// It runs again since this time.
    RunningSince {
        /// Seconds since 1970.
        at: i64,
        /// Its process id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
    },
    /// It has been stopped, is starting, or is given up: its state now.
    StateNow(String),
    /// How long it had run, in milliseconds.
    RanFor(u64),
    /// How often it ended, and in what time (seconds).
    Ends {
        /// The number of ends.
        count: u32,
        /// Within this time in seconds.
        window: u64,
    },
    /// When it ended, in seconds since 1970.
    EndedAt(i64),
    /// Its process id.
    Pid(i32),
    /// What was done about it, in words: `restarted`, `sent SIGUSR1`, `not restarted: 3 restarts in 10 min`.
    Action(String),
    /// A sentence that has no fact of its own: of the journal, a listener, a channel.
    Note(String),
}

/// The last lines of a program's output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardTail {
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The lines, oldest first, as the program wrote them.
    pub lines: Vec<String>,
}

/// What the reader of a card has to know of the message itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It was told to another receiver, which did not acknowledge it for this number of seconds.
    NotAcknowledged {
        /// The other receiver.
        receiver: String,
        /// Seconds.
        seconds: u64,
    },
    /// It could not be delivered to another receiver, for this reason.
    NotDelivered {
        /// The other receiver.
        receiver: String,
        /// Why.
        reason: String,
    },
    /// It was held back by a silence until this time.
    Silenced {
        /// Who silenced it.
        by: String,
        /// Seconds since 1970.
        until: i64,
        /// Why.
        comment: String,
    },
    /// It was held back by a `[silence:x]`.
    SilencedWindow {
        /// The `x`.
        name: String,
        /// The window as it is configured.
        window: String,
        /// Why.
        comment: String,
    },
    /// It was held back by quiet hours.
    Quiet {
        /// The window as it is configured.
        window: String,
    },
    /// It was held back by an incident of another program or family, which is over.
    Inhibited {
        /// The other program.
        program: String,
    },
    /// It was acknowledged.
    AcknowledgedBy {
        /// Who.
        by: String,
        /// What they said.
        comment: String,
    },
    /// The receiver is no longer configured for it.
    NoLongerReported,
}

impl Card {
    /// A line for each incident, in English: what people see who read an alert file, and what is left of a card that a
    /// version cannot read.
    pub fn summary(&self) -> String {
        let line =
            |item: &CardItem| format!("{} {}: {}, {}", item.severity, item.program, item.family, item.phase);
        self.items.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
