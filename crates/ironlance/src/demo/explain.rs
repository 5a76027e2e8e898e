//! [`Explainer`]: events and mails in plain words, a line each, for a user who sees the demo for the first time.

use std::collections::HashSet;

use ironlance_core::event::json::EventJson;

use super::mail::ParsedMail;
use super::printer::Colour;

/// Explains events; remembers which programs are down.
#[derive(Debug, Default)]
pub(super) struct Explainer {
    /// Programs that went down and are not running again yet.
    down: HashSet<String>,
}

impl Explainer {
    /// The explanation of an event, red if it is bad news; `None` for most.
    pub(super) fn explain(&mut self, event: &EventJson<'_>) -> Option<(Colour, String)> {
        let program = event.process.as_deref().unwrap_or_default();
        let why = event.why.as_deref().unwrap_or("nobody knows why");
        let bad = match (event.event.strip_prefix("PROCESS_STATE_")?, program) {
            ("RUNNING", _) => {
                return self.down.remove(program).then(|| (Colour::Green, "is running again".to_owned()));
            }
            ("EXITED", _) if event.body.contains("expected:0") => {
                format!("crashed ({why}): supervisord starts it again")
            }
            ("BACKOFF", _) => format!("does not start ({why}): supervisord tries again"),
            ("FATAL", _) => "does not start: supervisord has given up".to_owned(),
            // Before the end only these listeners stop them.
            ("STOPPING", "shop") => "hangs, its page does not answer: httpok restarts it".to_owned(),
            ("STOPPING", "leaky") => "has outgrown its 40 MB: memmon restarts it".to_owned(),
            _ => return None,
        };
        self.down.insert(program.to_owned());
        Some((Colour::Red, bad))
    }
}

/// The subject of a mail in a few words.
pub(super) fn mail_summary(mail: &ParsedMail) -> String {
    let crashes = |needle: &str| match mail.text.matches(needle).count() {
        1 => "1 crash".to_owned(),
        more => format!("{more} crashes"),
    };
    match mail.listener.as_str() {
        "crashmail" => "flaky crashed".to_owned(),
        "fatalmailbatch" => "broken could not be started".to_owned(),
        "httpok" => "the shop's page did not answer, the shop was restarted".to_owned(),
        "memmon" => "leaky used too much memory and was restarted".to_owned(),
        "crashmailbatch" => format!("15 seconds in one mail, {}", crashes("died unexpectedly")),
        "crashsms" => {
            let length = mail.text.trim_end().chars().count();
            format!("{} in {length} characters", crashes("exited unexpectedly"))
        }
        _ => mail.subject.as_deref().unwrap_or("(no subject)").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(explainer: &mut Explainer, event: &str, process: &str) -> Option<String> {
        let event = EventJson {
            event: format!("PROCESS_STATE_{event}").into(),
            process: Some(process.into()),
            why: Some("exit status 3".into()),
            body: "x expected:0 y".into(),
            ..EventJson::default()
        };
        explainer.explain(&event).map(|(_, words)| words)
    }

    #[test]
    fn a_program_that_went_down_is_said_to_run_again_once() {
        let mut explainer = Explainer::default();
        assert_eq!(said(&mut explainer, "RUNNING", "flaky"), None);
        let crash = said(&mut explainer, "EXITED", "flaky").unwrap();
        assert_eq!(crash, "crashed (exit status 3): supervisord starts it again");
        assert_eq!(said(&mut explainer, "STARTING", "flaky"), None);
        assert_eq!(said(&mut explainer, "RUNNING", "flaky").as_deref(), Some("is running again"));
        assert_eq!(said(&mut explainer, "RUNNING", "flaky"), None);
        assert!(said(&mut explainer, "STOPPING", "shop").unwrap().contains("httpok"));
        assert_eq!(said(&mut explainer, "STOPPING", "steady"), None);
    }

    #[test]
    fn a_mail_is_told_by_who_sent_it_and_how_much_it_sums_up() {
        let mail = |listener: &str, text: &str| {
            let subject = Some(" what it says".to_owned());
            ParsedMail { listener: listener.into(), subject, text: text.into(), ..ParsedMail::default() }
        };
        assert_eq!(mail_summary(&mail("crashmail", "")), "flaky crashed");
        assert_eq!(mail_summary(&mail("stranger", "")), "what it says");
        let text = "[x] exited unexpectedly\n";
        assert_eq!(mail_summary(&mail("crashsms", text)), "1 crash in 23 characters");
    }
}
