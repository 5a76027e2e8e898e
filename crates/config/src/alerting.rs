//! What the configuration says of alerts: [`Alerting`], of `[watch]`, `[alert:x]`, `[silence:x]` and the alert keys of programs.
//!
//! Supervisor ignores these sections and keys. The daemon uses of them only whether there is a receiver; `watch` uses all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::alerting::channel::Channel;
use ironlance_core::alerting::incident::{AlertCause, Severity};
use ironlance_core::alerting::secret::Secret;
use ironlance_core::time::window::Windows;
use ironlance_core::{Namespec, Selection};

use crate::loader::fault::ConfigFault;

/// Where a value stands: the file as the configuration names it and the line, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueSource {
    /// The file.
    pub file: String,
    /// The line.
    pub line: usize,
}

/// All that the configuration says of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerting {
    /// `[watch]`, or its defaults.
    pub watch: WatchSettings,
    /// `[alert:x]`, in the order of the file. None: there is nothing to watch for.
    pub receivers: Vec<AlertReceiver>,
    /// `[silence:x]`.
    pub silences: Vec<SilenceRule>,
    /// What each process says, by its name; every process of every program, listener and FastCGI program has an entry.
    pub programs: BTreeMap<Namespec, ProgramAlerting>,
}

/// What the configuration says of alerts, and what is wrong with it. A fault keeps neither the daemon nor `watch` from
/// starting: what is left counts.
#[derive(Clone, Debug, Default)]
pub struct AlertingReport {
    /// What could be read.
    pub alerting: Alerting,
    /// Every fault.
    pub faults: Vec<ConfigFault>,
    /// What is valid and looks wrong, each a line `file:line: [section] key …`.
    pub warnings: Vec<String>,
}

/// What the daemon itself needs of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// There is a receiver: `watch` is to be run.
    pub has_receivers: bool,
    /// `journal_maxbytes=` of `[watch]`.
    pub journal_maxbytes: u64,
    /// The processes with `heartbeat=comm`: their PROCESS_COMMUNICATION events are recorded.
    pub communicating: BTreeSet<Namespec>,
}

/// `[watch]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSettings {
    /// `lang=zh`: messages are in Chinese.
    pub chinese: bool,
    /// `host=`: what this host is called.
    pub host: Option<String>,
    /// `url=`: the page, for links.
    pub url: Option<String>,
    /// `timezone=`: an IANA name; the system's zone where there is none.
    pub timezone: Option<String>,
    /// `loop=`: this number of ends within this time is a crash loop.
    pub crash_loop: LoopRule,
    /// `recover_after=`.
    pub recover_after: Duration,
    /// `journal_maxbytes=`, in bytes.
    pub journal_maxbytes: u64,
    /// `history=`: how long closed incidents and decisions are kept.
    pub history: Duration,
}

/// `loop=COUNT/TIME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopRule {
    /// The number of ends.
    pub count: u32,
    /// Within this time.
    pub window: Duration,
}

/// `[alert:x]`: a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertReceiver {
    /// The `x` of its section.
    pub name: String,
    /// Where its section begins.
    pub source: ValueSource,
    /// Where its keys stand, for `alerts explain`.
    pub key_sources: BTreeMap<String, ValueSource>,
    /// The channels but mail; each gets every message.
    pub channels: Vec<Channel>,
    /// `mail=`.
    pub mail: Option<MailDestination>,
    /// `proxy=`: a URL, with or without `user:password@`.
    pub proxy: Option<Secret>,
    /// `on=`.
    pub on: Vec<AlertCause>,
    /// `only=` and `except=` together.
    pub programs: Selection,
    /// `severity=`: the least that it is told.
    pub severity: Severity,
    /// `group_by=`.
    pub group_by: Vec<GroupBy>,
    /// `group_wait=`.
    pub group_wait: Duration,
    /// `group_interval=`.
    pub group_interval: Duration,
    /// `repeat=`; `None` for `0`.
    pub repeat: Option<Duration>,
    /// `quiet=`.
    pub quiet: Option<Windows>,
    /// `quiet_except=`: this severity and more comes through.
    pub quiet_except: Severity,
    /// `escalate=NAME after T`.
    pub escalate: Option<Handover>,
    /// `fallback=NAME after T`.
    pub fallback: Option<Handover>,
    /// `lang=`, or that of `[watch]`.
    pub chinese: bool,
    /// `max_items=`.
    pub max_items: usize,
    /// `log_lines=`.
    pub log_lines: usize,
    /// `labels=`.
    pub labels: BTreeMap<String, String>,
    /// `sms_max=COUNT/TIME`: the budget of its SMS channels.
    pub sms_max: Option<(u32, Duration)>,
}

/// `mail=` and the keys beside it; as the options of the mail listeners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailDestination {
    /// The addresses.
    pub to: Vec<String>,
    /// `from=`.
    pub from: Option<String>,
    /// `smtp=`: a URL.
    pub smtp: Option<String>,
    /// `sendmail=`: a command line.
    pub sendmail: Option<String>,
    /// `tls=`: STARTTLS or no mail.
    pub require_tls: bool,
    /// `ca_file=`.
    pub ca_file: Option<PathBuf>,
    /// `password_file=` or the password of the URL.
    pub password: Option<Secret>,
    /// `mail_form=sms`: a short text without details.
    pub is_sms: bool,
}

/// A word of `group_by=`: incidents that agree in all of them are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// All of the receiver together.
    Receiver,
    /// By process group.
    Group,
    /// By program.
    Program,
    /// By family.
    Family,
}

/// `escalate=` or `fallback=`: another receiver, and after what time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The name of the other receiver.
    pub receiver: String,
    /// After this time.
    pub after: Duration,
}

/// `[silence:x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceRule {
    /// The `x` of its section.
    pub name: String,
    /// Where its section begins.
    pub source: ValueSource,
    /// `programs=`.
    pub programs: Selection,
    /// `when=`.
    pub when: Windows,
    /// `causes=`; all where it is empty.
    pub causes: Vec<AlertCause>,
    /// `comment=`.
    pub comment: String,
}

/// The alert keys of a program, with those of its `[group:x]` and `[watch]` where it has none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramAlerting {
    /// Where the keys of the program stand, for `alerts explain`.
    pub key_sources: BTreeMap<String, ValueSource>,
    /// `alert=`: names of receivers; `Some` of an empty list for `none`; `None` where the receivers' own selection counts.
    pub receivers: Option<Vec<String>>,
    /// `alert_on=`.
    pub on: Option<Vec<AlertCause>>,
    /// `severity=`: for all causes, or for each.
    pub severity: SeverityOverride,
    /// `runbook=`.
    pub runbook: Option<String>,
    /// `labels=`.
    pub labels: BTreeMap<String, String>,
    /// `loop=`.
    pub crash_loop: LoopRule,
    /// `recover_after=`.
    pub recover_after: Duration,
    /// `startsecs=`: part of the default grace.
    pub startsecs: Duration,
    /// `healthcheck=` and `healthcheck.NAME=`.
    pub checks: Vec<HealthCheck>,
    /// `memory_limit=`.
    pub memory_limit: Option<MemoryLimit>,
    /// `cpu_limit=`.
    pub cpu_limit: Option<CpuLimit>,
    /// `heartbeat=`.
    pub heartbeat: Option<Heartbeat>,
}

/// `severity=` of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeverityOverride {
    /// For every cause that is not named.
    pub all: Option<Severity>,
    /// For these causes.
    pub by_cause: Vec<(AlertCause, Severity)>,
}

/// `healthcheck=TARGET [every T] [timeout T] [fail N of M] [grace T] [expect …] [then ACTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The `NAME` of `healthcheck.NAME`; empty for `healthcheck`.
    pub name: String,
    /// What is asked.
    pub target: CheckTarget,
    /// How often.
    pub every: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// This number of failures …
    pub fail: u32,
    /// … among this number of results is a fault.
    pub of: u32,
    /// Results within this time after a start do not count.
    pub grace: Duration,
    /// What is done about a fault.
    pub action: Action,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckTarget {
    /// A page.
    Http {
        /// `http://` or `https://`.
        url: String,
        /// `expect 200,204`; 2xx and 3xx where it is empty.
        statuses: Vec<u16>,
        /// `expect body "…"`.
        body: Option<String>,
        /// `insecure`: certificates are not verified.
        insecure: bool,
        /// `ca FILE`.
        ca_file: Option<PathBuf>,
        /// `header "Name: value"`.
        headers: Vec<(String, String)>,
    },
    /// A TCP connection.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A connection to a unix socket, or a page over it.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// The page.
        target: Option<String>,
    },
    /// A command that exits with 0, without a shell.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
    },
}

/// What is done about a fault of a check or a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// People are told.
    #[default]
    Notify,
    /// It is restarted, at most this number of times within this time; people are told.
    Restart {
        /// The number of restarts.
        most: u32,
        /// Within this time.
        within: Duration,
    },
    /// It is sent a signal, named without `SIG`.
    Signal(String),
    /// It is stopped.
    Stop,
}

/// `memory_limit=SIZE [rss|pss|cgroup] [tree] [for T] [then ACTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The limit in bytes.
    pub bytes: u64,
    /// What is measured.
    pub measure: MemoryMeasure,
    /// Its children count as well.
    pub tree: bool,
    /// It must be over the limit for this time.
    pub lasting: Duration,
    /// What is done about it.
    pub action: Action,
}

/// What of a process's memory is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryMeasure {
    /// Resident set size.
    #[default]
    Rss,
    /// Proportional set size.
    Pss,
    /// What its cgroup holds.
    Cgroup,
}

/// `cpu_limit=N% [for T] [then ACTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuLimit {
    /// Percent of one core.
    pub percent: u32,
    /// It must be over the limit for this time.
    pub lasting: Duration,
    /// What is done about it.
    pub action: Action,
}

/// `heartbeat=SOURCE within T [then ACTION]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// What shows that it is alive.
    pub source: HeartbeatSource,
    /// At least once in this time.
    pub within: Duration,
    /// What is done about its absence.
    pub action: Action,
}

/// What shows that a program is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeartbeatSource {
    /// Output: its log grows.
    Output,
    /// A PROCESS_COMMUNICATION event.
    Communication,
    /// A file that it touches.
    File(PathBuf),
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            chinese: false,
            host: None,
            url: None,
            timezone: None,
            crash_loop: LoopRule { count: 5, window: Duration::from_secs(600) },
            recover_after: Duration::from_secs(30),
            journal_maxbytes: 64 << 20,
            history: Duration::from_secs(30 * 86_400),
        }
    }
}

impl AlertingReport {
    /// What the daemon needs.
    pub(crate) fn summary(&self) -> WatchSummary {
        let has_receivers = !self.alerting.receivers.is_empty();
        let communicates = |program: &ProgramAlerting| {
            program
                .heartbeat
                .as_ref()
                .is_some_and(|heartbeat| heartbeat.source == HeartbeatSource::Communication)
        };
        let communicating = self.alerting.programs.iter().filter(|(_, program)| communicates(program));
        let communicating = communicating.map(|(name, _)| name.clone()).collect();
        WatchSummary { has_receivers, journal_maxbytes: self.alerting.watch.journal_maxbytes, communicating }
    }
}

impl SeverityOverride {
    /// The severity of a cause; `None` where the built-in one counts.
    pub fn of(&self, cause: AlertCause) -> Option<Severity> {
        self.by_cause.iter().find(|(named, _)| *named == cause).map(|(_, severity)| *severity).or(self.all)
    }
}
