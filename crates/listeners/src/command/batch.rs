//! crashmailbatch, fatalmailbatch and crashsms: what happens in an interval, in one message. Wiring of [`CrashRule`],
//! [`BatchTimer`] and the alerts.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::render::wording;
use ironlance_alert::{Format, Notification, Receiver, Submitter};
use ironlance_core::event::StateChange;
use ironlance_host::local_time;

use super::alert_context::AlertContext;
use super::{CommandLogic, listen, options, start_check};
use crate::environment::ListenerEnv;
use crate::options::Options;
use crate::options::batch::{BatchOptions, parse};
use crate::protocol::ReceivedEvent;
use crate::rule::batch::{BatchMailer, BatchTimer, sent_log};
use crate::rule::crash::{self, CrashRule};
use crate::rule::unused_events::UnusedEvents;
use crate::write_log;

/// The command of a batch mailer; `args` without its name.
pub fn main(mailer: BatchMailer, args: &[String]) -> ExitCode {
    run(mailer, args).unwrap_or_else(|status| status)
}

fn run(mailer: BatchMailer, args: &[String]) -> Result<ExitCode, ExitCode> {
    let options = options(mailer.name(), |args, environment| parse(mailer, args, environment), args)?;
    let environment = ListenerEnv::from_env();
    if environment.server_url.is_none() {
        write_log("Must run as a supervisor event listener\n");
        return Err(ExitCode::FAILURE);
    }
    let supervisor = environment.supervisor().ok().flatten();
    let details = !options.brief && mailer != BatchMailer::Crashsms;
    let format = match mailer {
        BatchMailer::Crashsms => Format::Sms { max_length: options.own.max_length },
        BatchMailer::Crashmailbatch | BatchMailer::Fatalmailbatch => Format::Digest,
    };
    let receiver = options.destination.receiver.clone().map(|receiver| Receiver { format, ..receiver });
    let mut alerts = AlertContext::open(mailer.name(), &environment, supervisor, receiver, details);
    if let Some(submitter) = &mut alerts.submitter {
        submitter.open_batch(options.own.subject.clone().filter(|subject| !subject.is_empty()));
    }
    start_check::report_unmatched_names(alerts.supervisor.as_ref(), options.filter.named());
    let unused_events = start_check::report_unused_events(&environment, options.triggers);
    let rule = CrashRule { filter: options.filter.clone(), triggers: options.triggers };
    let timer = BatchTimer::new(options.own.interval, options.own.tick_seconds);
    Ok(listen(mailer.name(), alerts, Batch { rule, timer, unused_events, format, options }))
}

struct Batch {
    rule: CrashRule,
    timer: BatchTimer,
    unused_events: Option<UnusedEvents>,
    format: Format,
    options: Options<BatchOptions>,
}

impl Batch {
    fn on_state_change(&self, alerts: &mut AlertContext, received: &ReceivedEvent, change: &StateChange) {
        if self.rule.judge(change).is_none() || alerts.is_submitted(received) {
            return;
        }
        let time = local_time::log_time(&local_time::local(SystemTime::now()));
        let notification = crash::notification(change, time);
        write_log(&format!("{}\n", wording::entry(&notification, self.format)));
        let wants_details = alerts.submitter.as_ref().is_some_and(Submitter::wants_details);
        let details = wants_details
            .then(|| alerts.gather_details(received, &change.process, change.detail.pid()))
            .flatten();
        let details = details.into_iter().collect();
        let event = alerts.event_key(received);
        if let Some(submitter) = &mut alerts.submitter {
            submitter.add_to_batch(&event, Notification { details, ..notification });
        }
    }

    fn on_tick(&mut self, alerts: &mut AlertContext) {
        if !self.timer.on_tick() {
            return;
        }
        let body = alerts.submitter.as_mut().and_then(Submitter::send_batch);
        if let (Some(body), Some(receiver)) = (body, &self.options.destination.receiver) {
            let subject = self.options.own.subject.as_deref();
            write_log(&sent_log(&receiver.to, receiver.from.as_deref(), subject, &body));
        }
    }
}

impl CommandLogic for Batch {
    fn wants(&self, event_name: &str) -> bool {
        self.rule.wants(event_name)
    }

    fn handle(&mut self, alerts: &mut AlertContext, received: &ReceivedEvent) {
        let event_name = &received.envelope.event_name;
        start_check::report_unused_event(&mut self.unused_events, event_name);
        match &received.change {
            Some(change) => self.on_state_change(alerts, received, change),
            None if event_name == self.options.own.tick_event() => self.on_tick(alerts),
            None => {}
        }
    }
}
