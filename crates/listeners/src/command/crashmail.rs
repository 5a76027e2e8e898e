//! crashmail: a mail for each crash. Wiring of [`CrashRule`] and the alerts.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::render::wording;
use ironlance_alert::{Format, Notification, Submitter};
use ironlance_host::local_time;

use super::alert_context::AlertContext;
use super::{CommandLogic, listen, options, start_check};
use crate::environment::ListenerEnv;
use crate::options::ListenerDestination;
use crate::options::crashmail::parse;
use crate::protocol::ReceivedEvent;
use crate::rule::crash::{self, CrashRule};
use crate::rule::unused_events::UnusedEvents;
use crate::write_log;

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    run(args).unwrap_or_else(|status| status)
}

fn run(args: &[String]) -> Result<ExitCode, ExitCode> {
    let options = options("crashmail", parse, args)?;
    let environment = ListenerEnv::from_env();
    if environment.server_url.is_none() {
        write_log("crashmail must be run as a supervisor event listener\n");
        return Ok(ExitCode::SUCCESS);
    }
    // The original never speaks to supervisord: a URL that leads nowhere only costs the details.
    let supervisor = environment.supervisor().ok().flatten();
    let ListenerDestination { receiver, email } = options.destination;
    let alerts = AlertContext::open("crashmail", &environment, supervisor, receiver, !options.brief);
    start_check::report_unmatched_names(alerts.supervisor.as_ref(), options.filter.named());
    let unused_events = start_check::report_unused_events(&environment, options.triggers);
    let rule = CrashRule { filter: options.filter, triggers: options.triggers };
    let header = options.own.header;
    Ok(listen("crashmail", alerts, Crashmail { rule, unused_events, header, email }))
}

struct Crashmail {
    rule: CrashRule,
    unused_events: Option<UnusedEvents>,
    header: Option<String>,
    /// The recipients as given.
    email: Option<String>,
}

impl CommandLogic for Crashmail {
    fn wants(&self, event_name: &str) -> bool {
        self.rule.wants(event_name)
    }

    fn handle(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent) {
        start_check::report_unused_event(&mut self.unused_events, &received.envelope.event_name);
        let Some(change) = &received.change else { return };
        let Some(trigger) = self.rule.judge(change) else { return };
        if alerts.is_submitted(received) {
            return;
        }
        alerts.submitter.iter().for_each(Submitter::prewarm);
        let time = local_time::log_time(&local_time::local(SystemTime::now()));
        let notification = crash::notification(change, time);
        let header = self.header.as_ref().map(|header| format!("{header}:")).unwrap_or_default();
        let subject = header + &wording::subject(&notification);
        write_log(&format!("{}\n", crash::log_line(trigger, change)));
        let Some(email) = &self.email else { return };
        let text = wording::entry(&notification, Format::Mail);
        let mailed = format!("Mailed:\n\nTo: {email}\nSubject: {subject}\n\n{text}");
        let details = alerts.gather_details(received, &change.process, change.detail.pid());
        let details = details.into_iter().collect();
        let event = alerts.event_key(received);
        alerts.submit(Some(&event), subject, Notification { details, ..notification });
        write_log(&mailed);
    }
}
