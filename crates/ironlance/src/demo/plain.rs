//! Events and mails in plain words, a line each, for a person who sees all this for the first time.

use std::collections::HashSet;

use super::letter::Letter;
use super::watcher::Happened;

/// How good the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    Bad,
    Good,
}

/// What is known of the programs so far.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Programs that went down, and were not seen running since.
    down: HashSet<String>,
}

impl Plain {
    /// What an event means; most mean nothing new.
    pub(super) fn words(&mut self, happened: &Happened) -> Option<(News, String)> {
        let program = happened.process.as_str();
        let why = happened.why.as_deref().unwrap_or("nobody knows why");
        let bad = match (happened.event.strip_prefix("PROCESS_STATE_")?, program) {
            ("RUNNING", _) => {
                return self.down.remove(program).then(|| (News::Good, "is running again".to_owned()));
            }
            ("EXITED", _) if happened.body.contains("expected:0") => {
                format!("crashed ({why}): supervisord starts it again")
            }
            ("BACKOFF", _) => format!("does not start ({why}): supervisord tries again"),
            ("FATAL", _) => "does not start: supervisord has given up".to_owned(),
            // Nobody else stops them before the end.
            ("STOPPING", "shop") => "hangs, its page does not answer: httpok restarts it".to_owned(),
            ("STOPPING", "leaky") => "has outgrown its 40 MB: memmon restarts it".to_owned(),
            _ => return None,
        };
        self.down.insert(program.to_owned());
        Some((News::Bad, bad))
    }
}

/// What a mail is about.
pub(super) fn about(letter: &Letter) -> String {
    let crashes = |needle: &str| match letter.text.matches(needle).count() {
        1 => "1 crash".to_owned(),
        more => format!("{more} crashes"),
    };
    match letter.listener.as_str() {
        "crashmail" => "flaky crashed".to_owned(),
        "fatalmailbatch" => "broken could not be started".to_owned(),
        "httpok" => "the shop's page did not answer, the shop was restarted".to_owned(),
        "memmon" => "leaky used too much memory and was restarted".to_owned(),
        "crashmailbatch" => format!("15 seconds in one mail, {}", crashes("died unexpectedly")),
        "crashsms" => {
            let length = letter.text.trim_end().chars().count();
            format!("{} in {length} characters", crashes("exited unexpectedly"))
        }
        _ => letter.subject.as_deref().unwrap_or("(no subject)").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(plain: &mut Plain, event: &str, process: &str) -> Option<String> {
        let (event, body) = (format!("PROCESS_STATE_{event}"), "x expected:0 y".to_owned());
        let happened =
            Happened { event, process: process.to_owned(), why: Some("exit status 3".to_owned()), body };
        plain.words(&happened).map(|(_, words)| words)
    }

    #[test]
    fn a_program_that_went_down_is_said_to_run_again_once() {
        let mut plain = Plain::default();
        assert_eq!(said(&mut plain, "RUNNING", "flaky"), None);
        let crash = said(&mut plain, "EXITED", "flaky").unwrap();
        assert_eq!(crash, "crashed (exit status 3): supervisord starts it again");
        assert_eq!(said(&mut plain, "STARTING", "flaky"), None);
        assert_eq!(said(&mut plain, "RUNNING", "flaky").as_deref(), Some("is running again"));
        assert_eq!(said(&mut plain, "RUNNING", "flaky"), None);
        assert!(said(&mut plain, "STOPPING", "shop").unwrap().contains("httpok"));
        assert_eq!(said(&mut plain, "STOPPING", "steady"), None);
    }

    #[test]
    fn a_mail_is_told_by_who_sent_it_and_how_much_it_sums_up() {
        let letter = |listener: &str, text: &str| {
            let subject = Some(" what it says".to_owned());
            Letter { listener: listener.into(), subject, text: text.into(), ..Letter::default() }
        };
        assert_eq!(about(&letter("crashmail", "")), "flaky crashed");
        assert_eq!(about(&letter("stranger", "")), "what it says");
        let text = "[x] exited unexpectedly\n";
        assert_eq!(about(&letter("crashsms", text)), "1 crash in 23 characters");
    }
}
