//! `--test-alert`: sends one alert at once and reports each step on stdout.

use std::io::{self, Write};
use std::process::ExitCode;

use ironlance_alert::channel::{self, DeliveryProgress, OutgoingAlert};
use ironlance_alert::notification::Cause;
use ironlance_alert::outbox::{new_id, unix_time};
use ironlance_alert::render::card::Detail;
use ironlance_alert::render::wording;
use ironlance_alert::{Alert, Notification, Receiver};
use ironlance_core::redact::redact_words;

use crate::environment::host_name;

/// The environment variable with the exit status for a refused login. `init` sets it, to ask for the password again;
/// without it the status is 1.
pub const LOGIN_REFUSED: &str = "IRONLANCE_LOGIN_REFUSED_STATUS";

/// Writes each step to stdout.
#[derive(Default)]
struct StdoutProgress {
    is_login_refused: bool,
}

impl DeliveryProgress for StdoutProgress {
    fn login_refused(&mut self) {
        self.is_login_refused = true;
    }

    fn step(&mut self, what: &str) {
        let _ = writeln!(io::stdout(), "{what}");
    }
}

/// Sends one alert to `receiver` and reports each step; 0 when it was accepted for every recipient, otherwise 1 (but see
/// [`LOGIN_REFUSED`]).
///
/// `ignored` are the arguments that superlance ignores silently; they are reported here.
pub(super) fn run(command: &str, receiver: &Receiver, ignored: &[String]) -> ExitCode {
    let host = host_name();
    let mut aloud = StdoutProgress::default();
    if !ignored.is_empty() {
        aloud.step(&format!(
            "note: these arguments mean nothing to {command}: {}",
            redact_words(ignored).join(" ")
        ));
    }
    aloud.step(&format!("sending a test alert to {receiver}"));
    let cause = Cause::Test { command: command.to_owned(), host: host.clone() };
    let notification = Notification { cause, time: String::new(), details: Vec::new() };
    let alert = Alert {
        id: new_id(),
        origin: command.to_owned(),
        host,
        created: unix_time(),
        receiver: receiver.clone(),
        subject: Some(wording::subject(&notification)),
        entries: vec![notification.into()],
    };
    let outgoing = OutgoingAlert { alert: &alert, detail: Detail::default(), late: None };
    match channel::open(&receiver.transport).send(&outgoing, &mut aloud) {
        Ok(receipt) if receipt.refused.is_empty() => {
            aloud.step("the test alert was sent");
            ExitCode::SUCCESS
        }
        Ok(receipt) => {
            aloud.step(&format!("the test alert was refused for {} recipient(s)", receipt.refused.len()));
            ExitCode::FAILURE
        }
        Err(undelivered) => {
            aloud.step(&format!("the test alert was not sent: {}", undelivered.reason()));
            let status = std::env::var(LOGIN_REFUSED).ok().filter(|_| aloud.is_login_refused);
            status.and_then(|status| status.parse::<u8>().ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
