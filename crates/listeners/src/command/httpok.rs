//! httpok: restarts programs whose web page does not answer well.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ironlance_alert::notification::{Cause, ProcessDetails};
use ironlance_alert::render::text;
use ironlance_alert::{Format, Notification};
use ironlance_core::text::python::repr_list;
use ironlance_core::{Namespec, ProcessState};
use ironlance_net::Tls;
use ironlance_rpc::{Client, ProcessInfo};

use super::alert_context::AlertContext;
use super::{is_tick, listen, options, start_check, suppressed_note, test_alert};
use crate::environment::ListenerEnv;
use crate::options::httpok::{Eagerness, HttpokOptions, parse};
use crate::pending_restarts::{PendingRestarts, RestartOutcome, restart};
use crate::probe::http::{HttpCheck, PageUrl, redacted};
use crate::protocol::{EventHandler, ReceivedEvent};
use crate::rule::http::{HttpRule, HttpVerdict, RestartBudget};
use crate::rule::reminder::{MailDecision, Reminder};
use crate::{note, write_log};

/// There is one page: what is mailed is about it.
const PAGE: &str = "page";
/// A mail has the details of so many programs at most.
const MAX_DETAILED_PROGRAMS: usize = 10;

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    let options = match options(parse, args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        let receiver = options.destination.receiver;
        return receiver.map_or(ExitCode::FAILURE, |receiver| test_alert::run("httpok", &receiver, &[]));
    }
    let environment = ListenerEnv::from_env();
    let supervisor = match environment.supervisor() {
        Ok(Some(supervisor)) => supervisor,
        Ok(None) => {
            write_log("httpok must be run as a supervisor event listener\n");
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error),
    };
    let check = match check(&options) {
        Ok(check) => check,
        Err(error) => return fail(&*error),
    };
    let receiver = options.destination.receiver.clone();
    let alerts =
        AlertContext::open("httpok", &environment, Some(supervisor.clone()), receiver, !options.brief);
    let rule = HttpRule::new(redacted(&options.url), options.statuses.clone(), options.retries);
    let budget = options.max_restarts.map(|max| RestartBudget::new(max.most, max.within));
    let pending_restarts = PendingRestarts::open(environment.pending_restarts_file("httpok"));
    start_check::report_unmatched_names(Some(&supervisor), options.filter.named());
    let own_name = environment.own_name;
    let (reminder, start) = (Reminder::new(options.remind.0), Instant::now());
    let mut httpok = Httpok {
        alerts,
        supervisor,
        rule,
        check,
        budget,
        pending_restarts,
        own_name,
        options,
        reminder,
        start,
    };
    listen("httpok", &mut httpok)
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    write_log(&format!("httpok: {error}\n"));
    ExitCode::FAILURE
}

/// The request that the options describe.
fn check(options: &HttpokOptions) -> Result<HttpCheck, Box<dyn std::error::Error>> {
    let target = PageUrl::parse(&options.url)?;
    let mut headers = options.request.headers.clone();
    let user_info = match &options.request.auth_file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| format!("cannot read the --auth-file {}: {error}", path.display()))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        None => target.user_info.clone(),
    };
    if let Some(user_info) = user_info {
        headers.push(("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(user_info))));
    }
    let tls =
        if options.insecure { Tls::Insecure } else { Tls::Verified { ca_file: options.ca_file.clone() } };
    Ok(HttpCheck {
        target,
        method: options.request.method.clone(),
        headers,
        body: options.request.data.clone().into_bytes(),
        timeout: options.timeout,
        want_in_body: options.in_body.clone().map(String::into_bytes),
        tls,
    })
}

struct Httpok {
    alerts: AlertContext,
    supervisor: Client,
    rule: HttpRule,
    check: HttpCheck,
    budget: Option<RestartBudget>,
    pending_restarts: PendingRestarts,
    own_name: Option<Namespec>,
    options: HttpokOptions,
    reminder: Reminder,
    start: Instant,
}

/// What is told of an action: on stderr at once, and in the mail.
#[derive(Default)]
struct ActionLog {
    lines: Vec<String>,
    /// What became of each program: the same again is no news.
    outcomes: String,
    /// Something was restarted, which is news each time.
    has_restarted: bool,
}

impl ActionLog {
    fn write(&mut self, line: String) {
        write_log(&format!("{line}\n"));
        self.lines.push(line);
    }

    fn outcome(&mut self, about: &Namespec, what: &str) {
        self.outcomes.push_str(&format!("{about} {what}; "));
    }
}

impl Httpok {
    /// Whether a process is one of those to restart.
    fn is_selected(&self, namespec: &Namespec) -> bool {
        self.own_name.as_ref() != Some(namespec) && self.options.filter.selection.names(namespec)
    }

    /// Whether the page shall be checked now.
    fn wants_check(&self) -> bool {
        let eager = self.options.eagerness == Eagerness::Eager;
        if eager && self.options.grace.is_zero() {
            return true;
        }
        let infos = match self.supervisor.all_process_info() {
            Ok(infos) => infos,
            Err(error) => {
                write_log(&format!("Exception retrieving process info {error}\n"));
                return eager;
            }
        };
        let is_up = |info: &&ProcessInfo| {
            [ProcessState::Running.code(), ProcessState::Starting.code()].contains(&info.state)
        };
        let selected = infos.iter().filter(|info| self.is_selected(&info.namespec()));
        let up: Vec<&ProcessInfo> = selected.filter(is_up).collect();
        let running = up.iter().any(|info| info.state == ProcessState::Running.code());
        // A page whose programs have all just been started says nothing yet.
        let all_in_grace = !up.is_empty() && up.iter().all(|info| self.is_in_grace(info));
        (eager || running) && !all_in_grace
    }

    fn is_in_grace(&self, info: &ProcessInfo) -> bool {
        let up = Duration::from_secs(u64::try_from(info.now - info.start).unwrap_or_default());
        match ProcessState::from_code(info.state) {
            Some(ProcessState::Starting | ProcessState::Running) => up < self.options.grace,
            _ => false,
        }
    }

    fn act(&mut self, received: &ReceivedEvent, fault: &str, finding: String) {
        let mut log = ActionLog::default();
        let infos = match self.supervisor.all_process_info() {
            Ok(infos) => Some(infos),
            Err(error) => {
                log.write(format!("Exception retrieving process info {error}, not acting"));
                None
            }
        };
        let concerned: Vec<ProcessInfo> =
            infos.iter().flatten().filter(|info| self.is_selected(&info.namespec())).cloned().collect();
        // Taken before the restart, while the processes are still the ones that failed.
        let details: Vec<ProcessDetails> = concerned
            .iter()
            .take(MAX_DETAILED_PROGRAMS)
            .filter_map(|info| {
                let pid = (info.pid != 0).then_some(info.pid);
                self.alerts.gather_details(received, &info.namespec(), pid)
            })
            .collect();
        if let Some(infos) = infos {
            self.restart_all(&infos, &concerned, &mut log);
        }
        let url = redacted(&self.options.url);
        let cause = Cause::HttpCheck { url, fault: fault.to_owned(), finding, actions: log.lines.clone() };
        self.mail(Notification { cause, time: String::new(), details }, &log);
    }

    fn restart_all(&mut self, infos: &[ProcessInfo], concerned: &[ProcessInfo], log: &mut ActionLog) {
        let who = &self.options.filter;
        if self.options.notify_only {
            log.write("Restarting nothing (--notify-only)".to_owned());
            return;
        }
        if who.any {
            log.write("Restarting all running processes".to_owned());
        } else {
            let groups = who.groups.iter().map(|group| format!("{group}:*"));
            let named: Vec<String> = who.programs.iter().cloned().chain(groups).collect();
            log.write(format!("Restarting selected processes {}", repr_list(&named)));
        }
        for info in concerned {
            self.restart(info, log);
        }
        let is_pattern = |name: &str| name.starts_with('!') || name.ends_with('*');
        let exists =
            |name: &str| infos.iter().any(|info| info.name == name || info.namespec().qualified() == name);
        let named = self.options.filter.programs.iter();
        let absent: Vec<&String> = named.filter(|name| !is_pattern(name) && !exists(name)).collect();
        if !absent.is_empty() {
            log.write(format!("Programs not restarted because they did not exist: {}", repr_list(&absent)));
        }
    }

    fn restart(&mut self, info: &ProcessInfo, log: &mut ActionLog) {
        let namespec = info.namespec();
        if info.state != ProcessState::Running.code() {
            log.write(format!("{namespec} not in RUNNING state, NOT restarting"));
            log.outcome(&namespec, "not running");
            return;
        }
        if self.is_in_grace(info) {
            log.write(format!("{namespec} was started only just now (--grace), NOT restarting"));
            log.outcome(&namespec, "in grace");
            return;
        }
        let now = self.start.elapsed();
        if let Some(budget) = &mut self.budget
            && !budget.allows(&namespec, now)
        {
            log.write(format!("{namespec} was restarted too often (--max-restarts), NOT restarting"));
            log.outcome(&namespec, "too often");
            return;
        }
        if let Some(dir) = self.options.core_dir.clone() {
            let output = gcore(&self.options.gcore, &dir, &namespec, info.pid);
            log.write(format!("gcore output for {namespec}:\n\n {output}"));
        }
        log.write(format!("{namespec} is in RUNNING state, restarting"));
        let name = namespec.to_string();
        let mut stop_failed = |error: &_| log.write(format!("Failed to stop process {namespec}: {error}"));
        match restart(&self.supervisor, &mut self.pending_restarts, &name, Some(&mut stop_failed)) {
            RestartOutcome::Done => {
                log.write(format!("{namespec} restarted"));
                log.has_restarted = true;
            }
            RestartOutcome::NotStarted(error) | RestartOutcome::NotStopped(error) => {
                log.write(format!("Failed to start process {namespec}: {error}"));
                log.outcome(&namespec, "not started");
            }
        }
    }

    /// Whether people are to be told, or know it already.
    fn is_news(&mut self, subject: &str, log: &ActionLog) -> bool {
        if log.has_restarted {
            self.reminder.on_healthy(PAGE);
        }
        let kind = format!("{subject} {}", log.outcomes);
        match self.reminder.on_problem(PAGE, &kind, self.start.elapsed()) {
            MailDecision::Send => true,
            MailDecision::Suppress(ago) => {
                note(&[suppressed_note("it", ago)]);
                false
            }
        }
    }

    fn mail(&mut self, notification: Notification, log: &ActionLog) {
        let subject = text::subject(&notification);
        let subject = match &self.options.name {
            None => format!("httpok: {subject}"),
            Some(name) => format!("httpok [{name}]: {subject}"),
        };
        if self.options.destination.email.is_none() || !self.is_news(&subject, log) {
            return;
        }
        let Some(email) = &self.options.destination.email else { return };
        let text = text::entry(&notification, Format::Mail);
        let mailed = format!("Mailed:\n\nTo: {email}\nSubject: {subject}\n\n{text}");
        self.alerts.submit(None, subject, notification);
        write_log(&mailed);
    }
}

impl EventHandler for Httpok {
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
        if !self.wants_check() {
            return;
        }
        match self.rule.judge(&self.check.run()) {
            HttpVerdict::Healthy => self.reminder.on_healthy(PAGE),
            HttpVerdict::Retry { failures, of, message } => {
                write_log(&format!("{message}\nfailure {failures} of {of} (--retries), not acting yet\n"));
            }
            HttpVerdict::Act { fault, message } => self.act(received, fault, message),
        }
    }

    fn answered(&mut self) {
        self.alerts.answered();
    }

    fn ended(&mut self) {
        self.alerts.close();
    }
}

/// Has a core written, and gives what the program says on its stdout.
fn gcore(command: &str, dir: &Path, namespec: &Namespec, pid: u32) -> String {
    let core = dir.join(namespec.to_string());
    let line = format!("{command} \"{}\" {pid}", core.display());
    let output =
        Command::new("/bin/sh").args(["-c", &line]).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => format!("cannot run gcore: {error}"),
    }
}
