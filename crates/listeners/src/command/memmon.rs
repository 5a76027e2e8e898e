//! memmon: restarts programs that outgrow their memory.

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use ironlance_alert::AlertEntry;
use ironlance_core::Namespec;
use ironlance_host::local_time;
use ironlance_rpc::{Client, ProcessInfo};

use super::alert_context::AlertContext;
use super::{is_tick, listen, options, start_check, suppressed_note, test_alert};
use crate::environment::ListenerEnv;
use crate::options::memmon::{MemmonOptions, MemoryAction, parse};
use crate::options::signal::ProcessSignal;
use crate::pending_restarts::{PendingRestarts, RestartOutcome, restart};
use crate::probe::memory::{MemoryMetric, MemoryReadings};
use crate::protocol::{EventHandler, ReceivedEvent};
use crate::rule::memory::{LimitState, MemoryLimit, MemoryRule};
use crate::rule::reminder::{MailDecision, Reminder};
use crate::{note, write_log};

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    let options = match options(parse, args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        let receiver = options.destination.receiver;
        return receiver
            .map_or(ExitCode::FAILURE, |receiver| test_alert::run("memmon", &receiver, &options.ignored));
    }
    let environment = ListenerEnv::from_env();
    let supervisor = match environment.supervisor() {
        Ok(Some(supervisor)) => supervisor,
        Ok(None) => {
            write_log("memmon must be run as a supervisor event listener\n");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            write_log(&format!("memmon: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let receiver = options.destination.receiver.clone();
    let alerts =
        AlertContext::open("memmon", &environment, Some(supervisor.clone()), receiver, !options.brief);
    let rule = MemoryRule::new(options.limits.clone(), options.ticks);
    let pending_restarts = PendingRestarts::open(environment.pending_restarts_file("memmon"));
    let status = status(&options);
    start_check::report_unmatched_names(Some(&supervisor), options.named.clone());
    let own_name = environment.own_name;
    let (reminder, start) = (Reminder::new(options.remind.0), Instant::now());
    let mut memmon =
        Memmon { alerts, supervisor, rule, pending_restarts, own_name, options, status, reminder, start };
    listen("memmon", &mut memmon)
}

/// What is checked, as the original logs it at each tick.
fn status(options: &MemmonOptions) -> String {
    let list = |what: &str, sizes: &std::collections::BTreeMap<String, u64>| {
        let sizes: Vec<String> = sizes.iter().map(|(name, size)| format!("{name}={size}")).collect();
        (!sizes.is_empty()).then(|| format!("Checking {what} {}", sizes.join(", ")))
    };
    let programs = list("programs", &options.programs);
    let groups = list("groups", &options.groups);
    let any = options.any.map(|any| format!("Checking any={any}"));
    let lines: Vec<String> = programs.into_iter().chain(groups).chain(any).collect();
    lines.join("\n") + "\n"
}

struct Memmon {
    alerts: AlertContext,
    supervisor: Client,
    rule: MemoryRule,
    pending_restarts: PendingRestarts,
    own_name: Option<Namespec>,
    options: MemmonOptions,
    status: String,
    reminder: Reminder,
    start: Instant,
}

impl Memmon {
    fn on_tick(&mut self, received: &ReceivedEvent) {
        write_log(&self.status);
        let infos = match self.supervisor.all_process_info() {
            Ok(infos) => infos,
            Err(error) => {
                return write_log(&format!("Exception retrieving process info {error}, not checking\n"));
            }
        };
        let known: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        self.rule.retain(&known);
        self.reminder.retain(|name| known.iter().any(|namespec| namespec.qualified() == name));
        let concerned: Vec<&ProcessInfo> =
            infos.iter().filter(|info| info.pid != 0 && self.rule.applies_to(&info.namespec())).collect();
        let pids: Vec<u32> = concerned.iter().map(|info| info.pid).collect();
        let readings = MemoryReadings::take(&pids, self.options.metric);
        let mut log = String::new();
        for info in concerned {
            match readings.bytes(info.pid) {
                Some(bytes) => self.judge(received, info, bytes, &mut log),
                None => log.extend(self.unreadable(info, &readings)),
            }
        }
        write_log(&log);
    }

    /// What the memory that counts is called.
    fn unit(&self) -> &'static str {
        match self.options.metric {
            MemoryMetric::Rss | MemoryMetric::CumulativeRss => "RSS",
            MemoryMetric::Pss | MemoryMetric::CumulativePss => "PSS",
        }
    }

    /// A process that has ended since supervisord told of it is no trouble.
    fn unreadable(&self, info: &ProcessInfo, readings: &MemoryReadings) -> Option<String> {
        use crate::probe::memory::MemoryError;
        let failure =
            readings.failure(info.pid).filter(|failure| !matches!(failure, MemoryError::Gone(_)))?;
        Some(format!("{} of {} is not known: {failure}\n", self.unit(), info.namespec().qualified()))
    }

    fn judge(&mut self, received: &ReceivedEvent, info: &ProcessInfo, bytes: u64, log: &mut String) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        let verdict = self.rule.judge(&namespec, info.pid, bytes);
        for _ in 0..verdict.checked {
            log.push_str(&format!("{} of {name} is {bytes}\n", self.unit()));
        }
        match verdict.finding {
            LimitState::Within => self.reminder.on_healthy(&name),
            LimitState::Waiting { ticks, of } => {
                log.push_str(&format!(
                    "{name} is over its limit, tick {ticks} of {of} (--for), not acting yet\n"
                ));
            }
            // Whoever stops itself cannot start itself again.
            LimitState::Over(_) if self.own_name.as_ref() == Some(&namespec) => {
                log.push_str(&format!("{name} is over its limit and is myself, NOT restarting\n"));
            }
            LimitState::Over(limit) => {
                write_log(&std::mem::take(log));
                self.act(received, info, bytes, &limit);
            }
        }
    }

    fn act(&mut self, received: &ReceivedEvent, info: &ProcessInfo, bytes: u64, limit: &MemoryLimit) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        // Taken before anything is done, while the process is still the one that grew.
        let details = self.alerts.gather_details(received, &namespec, Some(&info.pid.to_string()));
        let details = details.map(|details| format!("limit:       {}\n{details}", limit.named));
        let report = match self.options.action {
            MemoryAction::Restart => self.restart(&name, bytes),
            MemoryAction::Signal(signal) => self.signal(&name, info.pid, signal, bytes),
            MemoryAction::NotifyOnly => ActionReport::happened("process NAME uses too much memory", &name, {
                format!(
                    "The process named {name} is consuming too much memory ({bytes} bytes {})",
                    self.unit()
                )
            })
            .about(info.pid),
        };
        if report.is_failure {
            write_log(&format!("{}\n", report.text));
        }
        let uptime = info.now - info.start;
        let is_wanted = report.is_failure || self.options.uptime.is_none_or(|limit| uptime <= limit);
        if is_wanted && self.options.destination.receiver.is_some() && self.is_news(&name, &report) {
            let subject = match &self.options.name {
                None => format!("memmon: {}", report.subject),
                Some(own) => format!("memmon [{own}]: {}", report.subject),
            };
            self.alerts.mail(None, subject, AlertEntry { text: report.text, details });
        }
    }

    /// Whether people are to be told, or know it already.
    fn is_news(&mut self, name: &str, report: &ActionReport) -> bool {
        let Some(kind) = &report.kind else {
            self.reminder.on_healthy(name);
            return true;
        };
        match self.reminder.on_problem(name, kind, self.start.elapsed()) {
            MailDecision::Send => true,
            MailDecision::Suppress(ago) => {
                note(&[suppressed_note(name, ago)]);
                false
            }
        }
    }

    fn restart(&mut self, name: &str, bytes: u64) -> ActionReport {
        write_log(&format!("Restarting {name}\n"));
        let unit = self.unit();
        match restart(&self.supervisor, &mut self.pending_restarts, name, None) {
            RestartOutcome::Done => {
                let now = local_time::local(SystemTime::now());
                let text = format!(
                    "memmon.py restarted the process named {name} at {} {} because it was consuming too much memory \
                     ({bytes} bytes {unit})",
                    local_time::asctime(&now),
                    local_time::zone_name(&now)
                );
                ActionReport::happened("process NAME restarted", name, text)
            }
            RestartOutcome::NotStopped(error) => {
                let text = format!("Failed to stop process {name} ({unit} {bytes}): {error}");
                ActionReport::failed("failed to stop process NAME", name, text)
            }
            RestartOutcome::NotStarted(error) => {
                let text = format!("Failed to start process {name} after stopping it, trying again: {error}");
                ActionReport::failed("failed to start process NAME", name, text)
            }
        }
    }

    fn signal(&self, name: &str, pid: u32, signal: ProcessSignal, bytes: u64) -> ActionReport {
        write_log(&format!("Sending {signal} to {name}\n"));
        match self.supervisor.signal_process(name, &signal.number().to_string()) {
            Ok(()) => {
                let unit = self.unit();
                let text = format!(
                    "memmon sent {signal} to the process named {name} because it was consuming too much memory \
                     ({bytes} bytes {unit})"
                );
                ActionReport::happened("process NAME signalled", name, text).about(pid)
            }
            Err(error) => {
                let text = format!("Failed to send {signal} to process {name}: {error}");
                ActionReport::failed("failed to signal process NAME", name, text)
            }
        }
    }
}

/// What was done, for the mail.
struct ActionReport {
    subject: String,
    text: String,
    is_failure: bool,
    /// What would make another mail the same again; a restart is never the same again.
    kind: Option<String>,
}

impl ActionReport {
    fn happened(subject: &str, name: &str, text: String) -> Self {
        Self { subject: subject.replace("NAME", name), text, is_failure: false, kind: None }
    }

    fn failed(subject: &str, name: &str, text: String) -> Self {
        let report = Self::happened(subject, name, text);
        Self { is_failure: true, kind: Some(report.subject.clone()), ..report }
    }

    /// The same about the same process is no news; another process of that name is.
    fn about(self, pid: u32) -> Self {
        Self { kind: Some(format!("{} {pid}", self.subject)), ..self }
    }
}

impl EventHandler for Memmon {
    fn wants(&self, event_name: &str) -> bool {
        is_tick(event_name)
    }

    fn handle(&mut self, received: &ReceivedEvent) {
        self.alerts.kick_stale();
        if !self.wants(&received.envelope.event_name) {
            return;
        }
        if !self.pending_restarts.is_empty() {
            self.pending_restarts.retry(&self.supervisor, &mut |line| write_log(&format!("{line}\n")));
        }
        self.on_tick(received);
    }

    fn answered(&mut self) {
        self.alerts.answered();
    }

    fn ended(&mut self) {
        self.alerts.close();
    }
}
