//! memmon: restarts programs that outgrow their memory.

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use ironlance_alert::notification::{Cause, MemoryOutcome};
use ironlance_alert::render::text;
use ironlance_alert::{Format, Notification};
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
        let mut details = self.alerts.gather_details(received, &namespec, Some(info.pid));
        if let Some(details) = &mut details {
            details.facts.insert(0, ("limit".to_owned(), limit.named.clone()));
        }
        let outcome = match self.options.action {
            MemoryAction::Restart => self.restart(&name),
            MemoryAction::Signal(signal) => self.signal(&name, signal),
            MemoryAction::NotifyOnly => MemoryOutcome::Notified,
        };
        let is_failure = outcome.is_failure();
        let has_restarted = outcome == MemoryOutcome::Restarted;
        let now = local_time::local(SystemTime::now());
        let time = format!("{} {}", local_time::asctime(&now), local_time::zone_name(&now));
        let cause = Cause::MemoryLimit { name: namespec, bytes, measure: self.unit().to_owned(), outcome };
        let notification = Notification { cause, time, details: details.into_iter().collect() };
        if is_failure {
            write_log(&format!("{}\n", text::entry(&notification, Format::Mail)));
        }
        let subject = text::subject(&notification);
        // The same about the same process is no news; a restart is, and so is another process of that name.
        let kind = match (is_failure, has_restarted) {
            (true, _) => Some(subject.clone()),
            (_, true) => None,
            _ => Some(format!("{subject} {}", info.pid)),
        };
        let uptime = info.now - info.start;
        let is_wanted = is_failure || self.options.uptime.is_none_or(|limit| uptime <= limit);
        if is_wanted && self.options.destination.receiver.is_some() && self.is_news(&name, kind.as_deref()) {
            let subject = match &self.options.name {
                None => format!("memmon: {subject}"),
                Some(own) => format!("memmon [{own}]: {subject}"),
            };
            self.alerts.submit(None, subject, notification);
        }
    }

    /// Whether people are to be told, or know it already.
    fn is_news(&mut self, name: &str, kind: Option<&str>) -> bool {
        let Some(kind) = kind else {
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

    fn restart(&mut self, name: &str) -> MemoryOutcome {
        write_log(&format!("Restarting {name}\n"));
        match restart(&self.supervisor, &mut self.pending_restarts, name, None) {
            RestartOutcome::Done => MemoryOutcome::Restarted,
            RestartOutcome::NotStopped(error) => MemoryOutcome::StopFailed(error.to_string()),
            RestartOutcome::NotStarted(error) => MemoryOutcome::StartFailed(error.to_string()),
        }
    }

    fn signal(&self, name: &str, signal: ProcessSignal) -> MemoryOutcome {
        write_log(&format!("Sending {signal} to {name}\n"));
        match self.supervisor.signal_process(name, &signal.number().to_string()) {
            Ok(()) => MemoryOutcome::Signalled(signal.to_string()),
            Err(error) => {
                MemoryOutcome::SignalFailed { signal: signal.to_string(), error: error.to_string() }
            }
        }
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
