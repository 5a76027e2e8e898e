//! crashmailbatch, fatalmailbatch, crashsms: what happens in an interval, in one message.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::render::text;
use ironlance_alert::{Format, Notification, Receiver, Submitter};
use ironlance_core::event::StateChange;
use ironlance_host::local_time;

use super::alert_context::AlertContext;
use super::{listen, options, start_check, test_alert};
use crate::environment::ListenerEnv;
use crate::options::batch::{BatchMailer, BatchOptions, parse};
use crate::protocol::{EventHandler, ReceivedEvent};
use crate::rule::crash::{self, CrashRule};
use crate::rule::unused_events::UnusedEvents;
use crate::write_log;

/// So many characters of a message are shown in the log.
const LOGGED_CHARACTERS: usize = 76;

/// crashmailbatch; `args` without its name.
pub fn crashmailbatch(args: &[String]) -> ExitCode {
    main(BatchMailer::Crashmailbatch, args)
}

/// fatalmailbatch; `args` without its name.
pub fn fatalmailbatch(args: &[String]) -> ExitCode {
    main(BatchMailer::Fatalmailbatch, args)
}

/// crashsms; `args` without its name.
pub fn crashsms(args: &[String]) -> ExitCode {
    main(BatchMailer::Crashsms, args)
}

fn main(mailer: BatchMailer, args: &[String]) -> ExitCode {
    let options = match options(|args, environment| parse(mailer, args, environment), args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        return test_alert::run(mailer.name(), &options.receiver, &options.ignored);
    }
    let environment = ListenerEnv::from_env();
    if environment.server_url.is_none() {
        write_log("Must run as a supervisor event listener\n");
        return ExitCode::FAILURE;
    }
    let supervisor = environment.supervisor().ok().flatten();
    let details = !options.brief && mailer != BatchMailer::Crashsms;
    let format = match mailer {
        BatchMailer::Crashsms => Format::Sms { max_length: options.max_length },
        BatchMailer::Crashmailbatch | BatchMailer::Fatalmailbatch => Format::Digest,
    };
    let receiver = Receiver { format, ..options.receiver.clone() };
    let mut alerts = AlertContext::open(mailer.name(), &environment, supervisor, Some(receiver), details);
    if let Some(submitter) = alerts.submitter() {
        submitter.open_batch(options.subject.clone().filter(|subject| !subject.is_empty()));
    }
    start_check::report_unmatched_names(alerts.supervisor.as_ref(), options.filter.named());
    let unheard = start_check::report_unused_events(&environment, options.triggers);
    let rule = CrashRule { filter: options.filter.clone(), triggers: options.triggers };
    listen(mailer.name(), &mut Batch { alerts, rule, unused_events: unheard, format, options, ticks: 0 })
}

struct Batch {
    alerts: AlertContext,
    rule: CrashRule,
    unused_events: Option<UnusedEvents>,
    format: Format,
    options: BatchOptions,
    /// Ticks since the last message went, or would have gone.
    ticks: u64,
}

impl Batch {
    fn on_state_change(&mut self, received: &ReceivedEvent, change: &StateChange) {
        if self.rule.judge(change).is_none() || self.alerts.is_submitted(received) {
            return;
        }
        let time = local_time::log_time(&local_time::local(SystemTime::now()));
        let notification = crash::notification(change, time);
        write_log(&format!("{}\n", text::entry(&notification, self.format)));
        let wants_details = self.alerts.submitter().is_some_and(|submitter| submitter.wants_details());
        let details = if wants_details {
            self.alerts.gather_details(received, &change.process, change.detail.pid())
        } else {
            None
        };
        let details = details.into_iter().collect();
        let event = self.alerts.event_key(received);
        if let Some(submitter) = self.alerts.submitter() {
            submitter.add_to_batch(&event, Notification { details, ..notification });
        }
    }

    fn on_tick(&mut self) {
        self.ticks += 1;
        if self.options.interval.ticks(self.options.tick_seconds).is_none_or(|due| self.ticks < due) {
            return;
        }
        self.ticks = 0;
        if let Some(body) = self.alerts.submitter().and_then(Submitter::send_batch) {
            self.log(&body);
        }
    }

    /// Tells what was sent, as the original does.
    fn log(&self, body: &str) {
        let body = match body.char_indices().nth(LOGGED_CHARACTERS) {
            Some((end, _)) => format!("{}...", &body[..end]),
            None => body.to_owned(),
        };
        let receiver = &self.options.receiver;
        write_log(&format!(
            "Sending notification email:\nTo: {}\nFrom: {}\nSubject: {}\nBody:\n{body}\n",
            receiver.to.join(", "),
            receiver.from.as_deref().unwrap_or_default(),
            self.options.subject.as_deref().unwrap_or("None"),
        ));
    }
}

impl EventHandler for Batch {
    fn wants(&self, event_name: &str) -> bool {
        self.rule.wants(event_name)
    }

    fn handle(&mut self, received: &ReceivedEvent) {
        self.alerts.kick_stale();
        start_check::report_unused_event(&mut self.unused_events, &received.envelope.event_name);
        match &received.change {
            Some(change) => self.on_state_change(received, change),
            None if received.envelope.event_name == self.options.tick_event => self.on_tick(),
            None => {}
        }
    }

    fn answered(&mut self) {
        self.alerts.answered();
    }

    fn ended(&mut self) {
        self.alerts.close();
    }
}
