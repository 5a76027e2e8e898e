//! memmon: restarts programs that outgrow their memory.

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use ironlance_alert::Entry;
use ironlance_core::Namespec;
use ironlance_host::clock;
use ironlance_rpc::{Client, ProcessInfo};

use super::desk::Desk;
use super::{is_tick, listen, options, start_check, test_alert, told_before};
use crate::listener::{Arrival, Handler};
use crate::options::memmon::{MemmonOptions, Remedy, parse};
use crate::options::signal::Signal;
use crate::probe::memory::{Measure, Readings};
use crate::restart::{Ledger, Restart, restart};
use crate::rule::memory::{Finding, Limit, MemoryRule};
use crate::rule::remind::{Mail, Reminder};
use crate::surroundings::Surroundings;
use crate::{note, say};

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    let options = match options(parse, args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        let route = options.delivery.route;
        return route.map_or(ExitCode::FAILURE, |route| test_alert::run("memmon", &route, &options.ignored));
    }
    let surroundings = Surroundings::look();
    let supervisor = match surroundings.supervisor() {
        Ok(Some(supervisor)) => supervisor,
        Ok(None) => {
            say("memmon must be run as a supervisor event listener\n");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            say(&format!("memmon: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let route = options.delivery.route.clone();
    let desk = Desk::open("memmon", &surroundings, Some(supervisor.clone()), route, !options.brief);
    let rule = MemoryRule::new(options.limits.clone(), options.ticks);
    let ledger = Ledger::open(surroundings.ledger("memmon"));
    let status = status(&options);
    start_check::names(Some(&supervisor), options.named.clone());
    let own_name = surroundings.own_name;
    let (reminder, start) = (Reminder::new(options.remind.0), Instant::now());
    let mut memmon = Memmon { desk, supervisor, rule, ledger, own_name, options, status, reminder, start };
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
    desk: Desk,
    supervisor: Client,
    rule: MemoryRule,
    ledger: Ledger,
    own_name: Option<Namespec>,
    options: MemmonOptions,
    status: String,
    reminder: Reminder,
    start: Instant,
}

impl Memmon {
    fn tick(&mut self, arrival: &Arrival) {
        say(&self.status);
        let infos = match self.supervisor.all_process_info() {
            Ok(infos) => infos,
            Err(error) => return say(&format!("Exception retrieving process info {error}, not checking\n")),
        };
        let known: Vec<Namespec> = infos.iter().map(ProcessInfo::namespec).collect();
        self.rule.keep_only(&known);
        self.reminder.keep_only(|name| known.iter().any(|namespec| namespec.qualified() == name));
        let concerned: Vec<&ProcessInfo> =
            infos.iter().filter(|info| info.pid != 0 && self.rule.concerns(&info.namespec())).collect();
        let pids: Vec<u32> = concerned.iter().map(|info| info.pid).collect();
        let readings = Readings::take(&pids, self.options.measure);
        let mut log = String::new();
        for info in concerned {
            match readings.bytes(info.pid) {
                Some(bytes) => self.judge(arrival, info, bytes, &mut log),
                None => log.extend(self.unreadable(info, &readings)),
            }
        }
        say(&log);
    }

    /// What the memory that counts is called.
    fn unit(&self) -> &'static str {
        match self.options.measure {
            Measure::Rss | Measure::CumulativeRss => "RSS",
            Measure::Pss | Measure::CumulativePss => "PSS",
        }
    }

    /// A process that has ended since supervisord told of it is no trouble.
    fn unreadable(&self, info: &ProcessInfo, readings: &Readings) -> Option<String> {
        use crate::probe::memory::MemoryError;
        let failure =
            readings.failure(info.pid).filter(|failure| !matches!(failure, MemoryError::Gone(_)))?;
        Some(format!("{} of {} is not known: {failure}\n", self.unit(), info.namespec().qualified()))
    }

    fn judge(&mut self, arrival: &Arrival, info: &ProcessInfo, bytes: u64, log: &mut String) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        let verdict = self.rule.judge(&namespec, info.pid, bytes);
        for _ in 0..verdict.checked {
            log.push_str(&format!("{} of {name} is {bytes}\n", self.unit()));
        }
        match verdict.finding {
            Finding::Within => self.reminder.well(&name),
            Finding::Patient { ticks, of } => {
                log.push_str(&format!(
                    "{name} is over its limit, tick {ticks} of {of} (--for), not acting yet\n"
                ));
            }
            // Whoever stops itself cannot start itself again.
            Finding::Over(_) if self.own_name.as_ref() == Some(&namespec) => {
                log.push_str(&format!("{name} is over its limit and is myself, NOT restarting\n"));
            }
            Finding::Over(limit) => {
                say(&std::mem::take(log));
                self.act(arrival, info, bytes, &limit);
            }
        }
    }

    fn act(&mut self, arrival: &Arrival, info: &ProcessInfo, bytes: u64, limit: &Limit) {
        let namespec = info.namespec();
        let name = namespec.qualified();
        // Taken before anything is done, while the process is still the one that grew.
        let details = self.desk.details(arrival, &namespec, Some(&info.pid.to_string()));
        let details = details.map(|details| format!("limit:       {}\n{details}", limit.named));
        let account = match self.options.remedy {
            Remedy::Restart => self.restart(&name, bytes),
            Remedy::Signal(signal) => self.signal(&name, info.pid, signal, bytes),
            Remedy::NotifyOnly => Account::happened("process NAME uses too much memory", &name, {
                format!(
                    "The process named {name} is consuming too much memory ({bytes} bytes {})",
                    self.unit()
                )
            })
            .about(info.pid),
        };
        if account.is_failure {
            say(&format!("{}\n", account.text));
        }
        let uptime = info.now - info.start;
        let is_wanted = account.is_failure || self.options.uptime.is_none_or(|limit| uptime <= limit);
        if is_wanted && self.options.delivery.route.is_some() && self.is_news(&name, &account) {
            let subject = match &self.options.name {
                None => format!("memmon: {}", account.subject),
                Some(own) => format!("memmon [{own}]: {}", account.subject),
            };
            self.desk.mail(None, subject, Entry { text: account.text, details });
        }
    }

    /// Whether people are to be told, or know it already.
    fn is_news(&mut self, name: &str, account: &Account) -> bool {
        let Some(kind) = &account.kind else {
            self.reminder.well(name);
            return true;
        };
        match self.reminder.trouble(name, kind, self.start.elapsed()) {
            Mail::Goes => true,
            Mail::Told(ago) => {
                note(&[told_before(name, ago)]);
                false
            }
        }
    }

    fn restart(&mut self, name: &str, bytes: u64) -> Account {
        say(&format!("Restarting {name}\n"));
        let unit = self.unit();
        match restart(&self.supervisor, &mut self.ledger, name, None) {
            Restart::Done => {
                let now = clock::local(SystemTime::now());
                let text = format!(
                    "memmon.py restarted the process named {name} at {} {} because it was consuming too much memory \
                     ({bytes} bytes {unit})",
                    clock::asctime(&now),
                    clock::zone_name(&now)
                );
                Account::happened("process NAME restarted", name, text)
            }
            Restart::NotStopped(error) => {
                let text = format!("Failed to stop process {name} ({unit} {bytes}): {error}");
                Account::failed("failed to stop process NAME", name, text)
            }
            Restart::NotStarted(error) => {
                let text = format!("Failed to start process {name} after stopping it, trying again: {error}");
                Account::failed("failed to start process NAME", name, text)
            }
        }
    }

    fn signal(&self, name: &str, pid: u32, signal: Signal, bytes: u64) -> Account {
        say(&format!("Sending {signal} to {name}\n"));
        match self.supervisor.signal_process(name, &signal.number().to_string()) {
            Ok(()) => {
                let unit = self.unit();
                let text = format!(
                    "memmon sent {signal} to the process named {name} because it was consuming too much memory \
                     ({bytes} bytes {unit})"
                );
                Account::happened("process NAME signalled", name, text).about(pid)
            }
            Err(error) => {
                let text = format!("Failed to send {signal} to process {name}: {error}");
                Account::failed("failed to signal process NAME", name, text)
            }
        }
    }
}

/// What was done, for the mail.
struct Account {
    subject: String,
    text: String,
    is_failure: bool,
    /// What would make another mail the same again; a restart is never the same again.
    kind: Option<String>,
}

impl Account {
    fn happened(subject: &str, name: &str, text: String) -> Self {
        Self { subject: subject.replace("NAME", name), text, is_failure: false, kind: None }
    }

    fn failed(subject: &str, name: &str, text: String) -> Self {
        let account = Self::happened(subject, name, text);
        Self { is_failure: true, kind: Some(account.subject.clone()), ..account }
    }

    /// The same about the same process is no news; another process of that name is.
    fn about(self, pid: u32) -> Self {
        Self { kind: Some(format!("{} {pid}", self.subject)), ..self }
    }
}

impl Handler for Memmon {
    fn reads(&self, event_name: &str) -> bool {
        is_tick(event_name)
    }

    fn handle(&mut self, arrival: &Arrival) {
        self.desk.look_after();
        if !self.reads(&arrival.envelope.event_name) {
            return;
        }
        if !self.ledger.is_empty() {
            self.ledger.settle(&self.supervisor, &mut |line| say(&format!("{line}\n")));
        }
        self.tick(arrival);
    }

    fn answered(&mut self) {
        self.desk.answered();
    }

    fn ended(&mut self) {
        self.desk.close();
    }
}
