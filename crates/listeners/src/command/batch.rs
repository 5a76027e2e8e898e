//! crashmailbatch, fatalmailbatch, crashsms: what happens in an interval, in one message.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::{Entry, Form};
use ironlance_core::Event;
use ironlance_core::event::StateChange;
use ironlance_host::clock;

use super::desk::Desk;
use super::{listen, options, start_check, test_alert};
use crate::listener::{Arrival, Handler};
use crate::options::batch::{BatchMailer, BatchOptions, parse};
use crate::rule::crash::{self, CrashRule};
use crate::rule::subscription::Unheard;
use crate::say;
use crate::surroundings::Surroundings;

/// So many characters of a message are shown in the log.
const DIGEST: usize = 76;

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
        return test_alert::run(mailer.name(), &options.route, &options.ignored);
    }
    let surroundings = Surroundings::look();
    if surroundings.server_url.is_none() {
        say("Must run as a supervisor event listener\n");
        return ExitCode::FAILURE;
    }
    let supervisor = surroundings.supervisor().ok().flatten();
    let details = !options.brief && mailer != BatchMailer::Crashsms;
    let mut desk = Desk::open(mailer.name(), &surroundings, supervisor, Some(options.route.clone()), details);
    let form = match mailer {
        BatchMailer::Crashsms => Form::Sms { max_length: options.max_length },
        BatchMailer::Crashmailbatch | BatchMailer::Fatalmailbatch => Form::Mail,
    };
    if let Some(post) = desk.post() {
        post.open_batch(options.subject.clone().filter(|subject| !subject.is_empty()), form);
    }
    start_check::names(desk.supervisor.as_ref(), options.who.named());
    let unheard = start_check::events(&surroundings, options.on);
    let rule = CrashRule { who: options.who.clone(), on: options.on };
    listen(mailer.name(), &mut Batch { desk, rule, unheard, mailer, options, ticks: 0 })
}

struct Batch {
    desk: Desk,
    rule: CrashRule,
    unheard: Option<Unheard>,
    mailer: BatchMailer,
    options: BatchOptions,
    /// Ticks since the last message went, or would have gone.
    ticks: u64,
}

impl Batch {
    fn happened(&mut self, arrival: &Arrival, change: &StateChange) {
        let Some(happening) = self.rule.judge(change) else { return };
        if self.desk.seen(arrival) {
            return;
        }
        let time = clock::log_time(&clock::local(SystemTime::now()));
        let text = match self.mailer {
            BatchMailer::Crashsms => format!("{} {time}", crash::sms_line(happening, change)),
            BatchMailer::Crashmailbatch | BatchMailer::Fatalmailbatch => {
                format!("{time} -- {}", crash::batch_line(happening, change))
            }
        };
        say(&format!("{text}\n"));
        let wants_details = self.desk.post().is_some_and(|post| post.wants_details());
        let details = if wants_details {
            self.desk.details(arrival, &change.namespec, Some(&change.pid))
        } else {
            None
        };
        let event = self.desk.event(arrival);
        if let Some(post) = self.desk.post() {
            post.add_to_batch(&event, Entry { text, details });
        }
    }

    fn tick(&mut self) {
        self.ticks += 1;
        if self.options.interval.ticks(self.options.tick_seconds).is_none_or(|due| self.ticks < due) {
            return;
        }
        self.ticks = 0;
        let Some(post) = self.desk.post().filter(|post| !post.batch().is_empty()) else { return };
        let body = post.batch().iter().map(|entry| entry.text.as_str()).collect::<Vec<_>>().join("\n");
        post.send_batch();
        self.log(&body);
    }

    /// Tells what was sent, as the original does.
    fn log(&self, body: &str) {
        let body = match body.char_indices().nth(DIGEST) {
            Some((end, _)) => format!("{}...", &body[..end]),
            None => body.to_owned(),
        };
        let route = &self.options.route;
        say(&format!(
            "Sending notification email:\nTo: {}\nFrom: {}\nSubject: {}\nBody:\n{body}\n",
            route.to.join(", "),
            route.from.as_deref().unwrap_or_default(),
            self.options.subject.as_deref().unwrap_or("None"),
        ));
    }
}

impl Handler for Batch {
    fn reads(&self, event_name: &str) -> bool {
        self.rule.reads(event_name)
    }

    fn handle(&mut self, arrival: &Arrival) {
        self.desk.look_after();
        start_check::heard(&mut self.unheard, &arrival.envelope.event_name);
        match &arrival.event {
            Event::Process(change) => self.happened(arrival, change),
            Event::Tick(_) | Event::Other if arrival.envelope.event_name == self.options.tick_event => {
                self.tick();
            }
            Event::Tick(_) | Event::Other => {}
        }
    }

    fn answered(&mut self) {
        self.desk.answered();
    }

    fn ended(&mut self) {
        self.desk.close();
    }
}
