//! httpok: restarts programs whose web page fails. Wiring of [`HttpRule`], [`RestartRule`], the HTTP probe, supervisord
//! and the alerts.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use ironlance_alert::notification::Cause;
use ironlance_alert::render::wording;
use ironlance_alert::{Format, Notification};
use ironlance_checks::http::{HttpCheck, PageUrl, basic_authorization};
use ironlance_checks::restart::{PendingRestarts, RestartOutcome, restart};
use ironlance_core::Namespec;
use ironlance_core::redact::redact_url;
use ironlance_net::Tls;
use ironlance_rpc::{CallError, Client, ProcessInfo};

use super::alert_context::AlertContext;
use super::{
    CommandLogic, ReminderClock, fail, is_tick, listen, options, require_supervisor, start_check, subject,
};
use crate::environment::ListenerEnv;
use crate::options::ListenerDestination;
use crate::options::httpok::{HttpokOptions, parse};
use crate::protocol::ReceivedEvent;
use crate::rule::http::{HttpRule, HttpVerdict};
use crate::rule::http_restart::{RestartBudget, RestartReport, RestartRule};
use crate::{note_line, write_log};

/// What reminders are about: there is one page.
const PAGE: &str = "page";
/// A mail has the details of at most this many programs.
const MAX_DETAILED_PROGRAMS: usize = 10;

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    run(args).unwrap_or_else(|status| status)
}

fn run(args: &[String]) -> Result<ExitCode, ExitCode> {
    let options = options("httpok", parse, args)?;
    let environment = ListenerEnv::from_env();
    let supervisor = require_supervisor("httpok", &environment, ExitCode::SUCCESS)?;
    let check = check(&options.own).map_err(|error| fail("httpok", &error))?;
    let ListenerDestination { receiver, email } = options.destination;
    let alerts =
        AlertContext::open("httpok", &environment, Some(supervisor.clone()), receiver, !options.brief);
    start_check::report_unmatched_names(Some(&supervisor), options.filter.named());
    let own = options.own;
    let httpok = Httpok {
        supervisor,
        check,
        rule: HttpRule::new(redact_url(&own.url), own.statuses.clone(), own.retries),
        pending_restarts: PendingRestarts::open(environment.pending_restarts_file("httpok"), note_line),
        restart_rule: RestartRule {
            filter: options.filter,
            own_name: environment.own_name,
            eagerness: own.eagerness,
            grace: own.grace,
            notify_only: own.notify_only,
            budget: own.max_restarts.map(RestartBudget::new),
        },
        reminder: ReminderClock::new(options.remind),
        start: Instant::now(),
        options: own,
        email,
    };
    Ok(listen("httpok", alerts, httpok))
}

/// The request that the options describe.
fn check(options: &HttpokOptions) -> Result<HttpCheck, Box<dyn std::error::Error>> {
    let target = PageUrl::parse(&options.url)?;
    let mut headers = options.headers.clone();
    let user_info = match &options.auth_file {
        Some(path) => {
            let text = fs::read_to_string(path)
                .map_err(|error| format!("cannot read the --auth-file {}: {error}", path.display()))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        None => target.user_info.clone(),
    };
    if let Some(user_info) = user_info {
        headers.push(basic_authorization(&user_info));
    }
    let tls =
        if options.insecure { Tls::Insecure } else { Tls::Verified { ca_file: options.ca_file.clone() } };
    Ok(HttpCheck {
        target,
        method: options.method().to_owned(),
        headers,
        body: options.data.clone().unwrap_or_default().into_bytes(),
        timeout: options.timeout,
        want_in_body: options.in_body.clone().map(String::into_bytes),
        tls,
    })
}

struct Httpok {
    supervisor: Client,
    check: HttpCheck,
    rule: HttpRule,
    restart_rule: RestartRule,
    pending_restarts: PendingRestarts,
    reminder: ReminderClock,
    /// The clock of the restart budget.
    start: Instant,
    options: HttpokOptions,
    /// The recipients as given.
    email: Option<String>,
}

fn log(line: &str) {
    write_log(&format!("{line}\n"));
}

impl Httpok {
    /// Whether the page is checked now.
    fn wants_check(&self) -> bool {
        if self.restart_rule.always_checks() {
            return true;
        }
        match self.supervisor.all_process_info() {
            Ok(infos) => self.restart_rule.wants_check(&infos),
            Err(error) => {
                log(&format!("Exception retrieving process info {error}"));
                self.restart_rule.wants_check(&[])
            }
        }
    }

    /// `fault` is the part of the answer that is wrong, `finding` what was found.
    fn act(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent, fault: &str, finding: String) {
        let mut report = RestartReport::default();
        let infos = self.supervisor.all_process_info();
        let infos = infos.inspect_err(|error| {
            log(report.line(format!("Exception retrieving process info {error}, not acting")));
        });
        let mut details = Vec::new();
        if let Ok(infos) = infos {
            let selected = self.restart_rule.selected(&infos);
            // Taken before the restart, while the processes are still the ones that failed.
            details.extend(selected.iter().take(MAX_DETAILED_PROGRAMS).filter_map(|info| {
                let pid = (info.pid != 0).then_some(info.pid);
                alerts.gather_details(received, &info.namespec(), pid)
            }));
            self.restart_all(&infos, &selected, &mut report);
        }
        let (url, actions) = (redact_url(&self.options.url), report.lines().to_vec());
        let cause = Cause::HttpCheck { url, fault: fault.to_owned(), finding, actions };
        self.mail(alerts, &report, Notification { cause, time: String::new(), details });
    }

    fn restart_all(&mut self, infos: &[ProcessInfo], selected: &[&ProcessInfo], report: &mut RestartReport) {
        log(report.line(self.restart_rule.announcement()));
        if self.options.notify_only {
            return;
        }
        for info in selected {
            self.restart(info, report);
        }
        if let Some(missing) = self.restart_rule.missing(infos) {
            log(report.line(missing));
        }
    }

    fn restart(&mut self, info: &ProcessInfo, report: &mut RestartReport) {
        let namespec = info.namespec();
        match self.restart_rule.decide(info, self.start.elapsed()) {
            Ok(()) => {}
            Err(reason) => return log(report.skipped(&namespec, reason)),
        }
        if let Some(dir) = &self.options.core_dir {
            let output = gcore(&self.options.gcore, dir, &namespec, info.pid);
            log(report.core_written(&namespec, &output));
        }
        log(report.restarting(&namespec));
        let name = namespec.to_string();
        let mut stop_failed = |error: &CallError| log(report.not_stopped(&namespec, error));
        match restart(&self.supervisor, &self.pending_restarts, &name, Some(&mut stop_failed)) {
            RestartOutcome::Done => log(report.restarted(&namespec)),
            RestartOutcome::NotStarted(error) | RestartOutcome::NotStopped(error) => {
                log(report.not_started(&namespec, &error));
            }
        }
    }

    fn mail(&mut self, alerts: &mut AlertContext, report: &RestartReport, notification: Notification) {
        let Some(email) = &self.email else { return };
        let subject = subject("httpok", self.options.name.as_deref(), &wording::subject(&notification));
        if report.has_restarted() {
            self.reminder.reminder.on_healthy(PAGE);
        }
        if !self.reminder.is_due(PAGE, &report.repeat_key(&subject), "it") {
            return;
        }
        let text = wording::entry(&notification, Format::Mail);
        let mailed = format!("Mailed:\n\nTo: {email}\nSubject: {subject}\n\n{text}");
        alerts.submit(None, subject, notification);
        write_log(&mailed);
    }
}

impl CommandLogic for Httpok {
    fn wants(&self, event_name: &str) -> bool {
        is_tick(event_name)
    }

    fn handle(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent) {
        if !is_tick(&received.envelope.event_name) {
            return;
        }
        self.pending_restarts.retry(&self.supervisor, &mut |line| log(line));
        if !self.wants_check() {
            return;
        }
        match self.rule.judge(&self.check.run()) {
            HttpVerdict::Healthy => self.reminder.reminder.on_healthy(PAGE),
            HttpVerdict::Retry { failures, of, message } => {
                log(&format!("{message}\nfailure {failures} of {of} (--retries), not acting yet"));
            }
            HttpVerdict::Act { fault, message } => self.act(alerts, received, fault, message),
        }
    }
}

/// Writes a core by the command line `command`, and returns its standard output.
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
