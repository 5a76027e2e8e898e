//! crashmail: a mail for each crash.

use std::process::ExitCode;
use std::time::SystemTime;

use ironlance_alert::Entry;
use ironlance_core::Event;
use ironlance_host::clock;

use super::desk::Desk;
use super::{listen, options, start_check, test_alert};
use crate::listener::{Arrival, Handler};
use crate::options::crashmail::parse;
use crate::rule::crash::{self, CrashRule};
use crate::rule::subscription::Unheard;
use crate::say;
use crate::surroundings::Surroundings;

/// The command; `args` without its name.
pub fn main(args: &[String]) -> ExitCode {
    let options = match options(parse, args) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.test_alert {
        let route = options.delivery.route;
        return route
            .map_or(ExitCode::FAILURE, |route| test_alert::run("crashmail", &route, &options.ignored));
    }
    let surroundings = Surroundings::look();
    if surroundings.server_url.is_none() {
        say("crashmail must be run as a supervisor event listener\n");
        return ExitCode::SUCCESS;
    }
    // The original never speaks to supervisord: a URL that leads nowhere only costs the details.
    let supervisor = surroundings.supervisor().ok().flatten();
    let desk = Desk::open("crashmail", &surroundings, supervisor, options.delivery.route, !options.brief);
    start_check::names(desk.supervisor.as_ref(), options.who.named());
    let unheard = start_check::events(&surroundings, options.on);
    let rule = CrashRule { who: options.who, on: options.on };
    let (header, email) = (options.header, options.delivery.email);
    listen("crashmail", &mut Crashmail { desk, rule, unheard, header, email })
}

struct Crashmail {
    desk: Desk,
    rule: CrashRule,
    unheard: Option<Unheard>,
    header: Option<String>,
    /// The recipients as they were given.
    email: Option<String>,
}

impl Handler for Crashmail {
    fn reads(&self, event_name: &str) -> bool {
        self.rule.reads(event_name)
    }

    fn handle(&mut self, arrival: &Arrival) {
        self.desk.look_after();
        start_check::heard(&mut self.unheard, &arrival.envelope.event_name);
        let Event::Process(change) = &arrival.event else { return };
        let Some(happening) = self.rule.judge(change) else { return };
        if self.desk.seen(arrival) {
            return;
        }
        self.desk.announce();
        let process = &change.namespec.process;
        let time = clock::log_time(&clock::local(SystemTime::now()));
        let subject = format!(" {process} {} at {time}", crash::verb(happening));
        let subject = self.header.iter().map(|header| format!("{header}:")).collect::<String>() + &subject;
        let text = crash::sentence(happening, change);
        say(&format!("{}\n", crash::remark(happening)));
        let Some(email) = &self.email else { return };
        let mailed = format!("Mailed:\n\nTo: {email}\nSubject: {subject}\n\n{text}");
        let details = self.desk.details(arrival, &change.namespec, Some(&change.pid));
        let event = self.desk.event(arrival);
        self.desk.mail(Some(&event), subject, Entry { text, details });
        say(&mailed);
    }

    fn answered(&mut self) {
        self.desk.answered();
    }

    fn ended(&mut self) {
        self.desk.close();
    }
}
