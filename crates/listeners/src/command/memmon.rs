//! memmon: restarts programs that use too much memory. Wiring of [`MemoryRule`], the memory probe, supervisord and
//! the alerts.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::notification::{Cause, MemoryOutcome};
use ironlance_alert::render::wording;
use ironlance_alert::{Format, Notification};
use ironlance_checks::memory::{MemoryError, read_memory};
use ironlance_checks::restart::{PendingRestarts, RestartOutcome, restart};
use ironlance_core::{Namespec, signal};
use ironlance_host::local_time;
use ironlance_rpc::{Client, ProcessInfo};

use super::alert_context::AlertContext;
use super::{
    CommandLogic, ReminderClock, is_tick, listen, options, require_supervisor, start_check, subject,
};
use crate::environment::ListenerEnv;
use crate::options::memmon::{MemmonOptions, parse};
use crate::protocol::ReceivedEvent;
use crate::rule::memory::{self, LimitState, ListenerMemoryLimit, MemoryRule};
use crate::{note_line, write_log};

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    run(args).unwrap_or_else(|status| status)
}

fn run(args: &[String]) -> Result<ExitCode, ExitCode> {
    let options = options("memmon", parse, args)?;
    let environment = ListenerEnv::from_env();
    let supervisor = require_supervisor("memmon", &environment, ExitCode::FAILURE)?;
    let receiver = options.destination.receiver;
    let alerts =
        AlertContext::open("memmon", &environment, Some(supervisor.clone()), receiver, !options.brief);
    let own = options.own;
    start_check::report_unmatched_names(Some(&supervisor), own.named());
    let memmon = Memmon {
        supervisor,
        rule: MemoryRule::new(own.limits(), own.ticks),
        pending_restarts: PendingRestarts::open(environment.pending_restarts_file("memmon"), note_line),
        own_name: environment.own_name,
        status: memory::status(&own.programs, &own.groups, own.any),
        reminder: ReminderClock::new(options.remind),
        options: own,
    };
    Ok(listen("memmon", alerts, memmon))
}

struct Memmon {
    supervisor: Client,
    rule: MemoryRule,
    pending_restarts: PendingRestarts,
    own_name: Option<Namespec>,
    status: String,
    reminder: ReminderClock,
    options: MemmonOptions,
}

impl Memmon {
    fn on_tick(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent) {
        write_log(&self.status);
        let infos = match self.supervisor.all_process_info() {
            Ok(infos) => infos,
            Err(error) => {
                return write_log(&format!("Exception retrieving process info {error}, not checking\n"));
            }
        };
        let known: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        self.rule.retain(&known);
        self.reminder.reminder.retain(|name| known.iter().any(|namespec| namespec.qualified() == name));
        let limited: Vec<&ProcessInfo> =
            infos.iter().filter(|info| info.pid != 0 && self.rule.applies_to(&info.namespec())).collect();
        let pids: Vec<u32> = limited.iter().map(|info| info.pid).collect();
        let readings = read_memory(&pids, self.options.metric);
        let mut log = String::new();
        for info in limited {
            match readings.get(&info.pid) {
                Some(Ok(bytes)) => self.judge(alerts, received, info, *bytes, &mut log),
                // A process that has ended since supervisord listed it is no problem.
                Some(Err(MemoryError::Gone(_))) | None => {}
                Some(Err(error)) => {
                    let (unit, name) = (self.unit(), info.namespec().qualified());
                    log.push_str(&format!("{unit} of {name} is not known: {error}\n"));
                }
            }
        }
        write_log(&log);
    }

    fn unit(&self) -> &'static str {
        self.options.metric.label()
    }

    fn judge(
        &mut self,
        alerts: &mut AlertContext,
        received: &ReceivedEvent,
        info: &ProcessInfo,
        bytes: u64,
        log: &mut String,
    ) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        let verdict = self.rule.judge(&namespec, info.pid, bytes);
        for _ in 0..verdict.checked {
            log.push_str(&format!("{} of {name} is {bytes}\n", self.unit()));
        }
        match verdict.finding {
            LimitState::Within => self.reminder.reminder.on_healthy(&name),
            LimitState::Waiting { ticks, of } => {
                log.push_str(&format!(
                    "{name} is over its limit, tick {ticks} of {of} (--for), not acting yet\n"
                ));
            }
            // A listener that stops itself cannot start itself again.
            LimitState::Over(_) if self.own_name.as_ref() == Some(&namespec) => {
                log.push_str(&format!("{name} is over its limit and is myself, NOT restarting\n"));
            }
            LimitState::Over(limit) => {
                write_log(&std::mem::take(log));
                self.act(alerts, received, info, bytes, &limit);
            }
        }
    }

    fn act(
        &mut self,
        alerts: &mut AlertContext,
        received: &ReceivedEvent,
        info: &ProcessInfo,
        bytes: u64,
        limit: &ListenerMemoryLimit,
    ) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        // Taken before anything is done, while the process is still the one that grew.
        let mut details = alerts.gather_details(received, &namespec, Some(info.pid));
        if let Some(details) = &mut details {
            details.facts.insert(0, ("limit".to_owned(), limit.named.clone()));
        }
        let outcome = match self.options.signal {
            _ if self.options.notify_only => MemoryOutcome::Notified,
            Some(signal) => self.signal(&name, signal),
            None => self.restart(&name),
        };
        let now = local_time::local(SystemTime::now());
        let time = format!("{} {}", local_time::asctime(&now), local_time::zone_name(&now));
        let measure = self.unit().to_owned();
        let cause = Cause::MemoryLimit { name: namespec, bytes, measure, outcome: outcome.clone() };
        let notification = Notification { cause, time, details: details.into_iter().collect() };
        if outcome.is_failure() {
            write_log(&format!("{}\n", wording::entry(&notification, Format::Mail)));
        }
        let finding = wording::subject(&notification);
        let is_wanted = memory::is_wanted(&outcome, info.now - info.start, self.options.uptime);
        if !is_wanted || alerts.submitter.is_none() {
            return;
        }
        let is_due = match memory::repeat_key(&outcome, &finding, info.pid) {
            Some(key) => self.reminder.is_due(&name, &key, &name),
            None => {
                self.reminder.reminder.on_healthy(&name);
                true
            }
        };
        if is_due {
            alerts.submit(None, subject("memmon", self.options.name.as_deref(), &finding), notification);
        }
    }

    fn restart(&mut self, name: &str) -> MemoryOutcome {
        write_log(&format!("Restarting {name}\n"));
        match restart(&self.supervisor, &self.pending_restarts, name, None) {
            RestartOutcome::Done => MemoryOutcome::Restarted,
            RestartOutcome::NotStopped(error) => MemoryOutcome::StopFailed(error.to_string()),
            RestartOutcome::NotStarted(error) => MemoryOutcome::StartFailed(error.to_string()),
        }
    }

    fn signal(&self, name: &str, number: i32) -> MemoryOutcome {
        let signal = signal::name(number).into_owned();
        write_log(&format!("Sending {signal} to {name}\n"));
        match self.supervisor.signal_process(name, &number.to_string()) {
            Ok(()) => MemoryOutcome::Signalled(signal),
            Err(error) => MemoryOutcome::SignalFailed { signal, error: error.to_string() },
        }
    }
}

impl CommandLogic for Memmon {
    fn wants(&self, event_name: &str) -> bool {
        is_tick(event_name)
    }

    fn handle(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent) {
        if !is_tick(&received.envelope.event_name) {
            return;
        }
        self.pending_restarts.retry(&self.supervisor, &mut |line| write_log(&format!("{line}\n")));
        self.on_tick(alerts, received);
    }
}
