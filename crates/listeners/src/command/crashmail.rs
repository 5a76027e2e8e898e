//! crashmail: a mail for each crash.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::render::text;
use ironlance_alert::{Format, Notification};
use ironlance_host::local_time;

use super::alert_context::AlertContext;
use super::{listen, options, start_check, test_alert};
use crate::environment::ListenerEnv;
use crate::options::crashmail::parse;
use crate::protocol::{EventHandler, ReceivedEvent};
use crate::rule::crash::{self, CrashRule};
use crate::rule::unused_events::UnusedEvents;
use crate::write_log;

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    let options = match options(parse, args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        let receiver = options.destination.receiver;
        return receiver
            .map_or(ExitCode::FAILURE, |receiver| test_alert::run("crashmail", &receiver, &options.ignored));
    }
    let environment = ListenerEnv::from_env();
    if environment.server_url.is_none() {
        write_log("crashmail must be run as a supervisor event listener\n");
        return ExitCode::SUCCESS;
    }
    // The original never speaks to supervisord: a URL that leads nowhere only costs the details.
    let supervisor = environment.supervisor().ok().flatten();
    let alerts = AlertContext::open(
        "crashmail",
        &environment,
        supervisor,
        options.destination.receiver,
        !options.brief,
    );
    start_check::report_unmatched_names(alerts.supervisor.as_ref(), options.filter.named());
    let unheard = start_check::report_unused_events(&environment, options.triggers);
    let rule = CrashRule { filter: options.filter, triggers: options.triggers };
    let (header, email) = (options.header, options.destination.email);
    listen("crashmail", &mut Crashmail { alerts, rule, unused_events: unheard, header, email })
}

struct Crashmail {
    alerts: AlertContext,
    rule: CrashRule,
    unused_events: Option<UnusedEvents>,
    header: Option<String>,
    /// The recipients as they were given.
    email: Option<String>,
}

impl EventHandler for Crashmail {
    fn wants(&self, event_name: &str) -> bool {
        self.rule.wants(event_name)
    }

    fn handle(&mut self, received: &ReceivedEvent) {
        self.alerts.kick_stale();
        start_check::report_unused_event(&mut self.unused_events, &received.envelope.event_name);
        let Some(change) = &received.change else { return };
        let Some(trigger) = self.rule.judge(change) else { return };
        if self.alerts.is_submitted(received) {
            return;
        }
        self.alerts.prewarm();
        let time = local_time::log_time(&local_time::local(SystemTime::now()));
        let notification = crash::notification(change, time);
        let header = self.header.as_ref().map(|header| format!("{header}:")).unwrap_or_default();
        let subject = header + &text::subject(&notification);
        write_log(&format!("{}\n", crash::log_line(trigger, change)));
        let Some(email) = &self.email else { return };
        let text = text::entry(&notification, Format::Mail);
        let mailed = format!("Mailed:\n\nTo: {email}\nSubject: {subject}\n\n{text}");
        let details = self.alerts.gather_details(received, &change.process, change.detail.pid());
        let details = details.into_iter().collect();
        let event = self.alerts.event_key(received);
        self.alerts.submit(Some(&event), subject, Notification { details, ..notification });
        write_log(&mailed);
    }

    fn answered(&mut self) {
        self.alerts.answered();
    }

    fn ended(&mut self) {
        self.alerts.close();
    }
}
