//! Which state changes are worth a mail, and the words for them.

use ironlance_core::ProcessState;
use ironlance_core::event::decode::StateChange;

use crate::options::{ProcessFilter, Trigger, Triggers};

/// What crashmail and the batch mailers look for.
#[derive(Clone, Debug)]
pub struct CrashRule {
    /// Which programs.
    pub filter: ProcessFilter,
    /// Which happenings.
    pub triggers: Triggers,
}

impl CrashRule {
    /// Whether events of this type can be worth a mail.
    pub fn wants(&self, event_name: &str) -> bool {
        let state = event_name.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name);
        let wants = |state| {
            [false, true].iter().any(|expected| self.triggers.contains(Trigger::of(state, *expected)))
        };
        state.is_some_and(wants)
    }

    /// What has happened, if it is worth a mail.
    pub fn judge(&self, change: &StateChange) -> Option<Trigger> {
        let trigger = Trigger::of(change.state, change.expected);
        let wanted = self.triggers.contains(trigger) && self.filter.selection.includes(&change.namespec);
        wanted.then_some(trigger)
    }
}

/// crashmail's verb for the subject: `NAME crashed at TIME`.
pub fn verb(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Exited => "crashed",
        Trigger::Expected => "exited",
        Trigger::Fatal => "failed to start",
        Trigger::Backoff => "exited too quickly",
        Trigger::Stopped => "stopped",
        Trigger::Stopping => "stopping",
        Trigger::Starting => "starting",
        Trigger::Running => "running",
        Trigger::Unknown => "in an unknown state",
    }
}

/// What crashmail writes to its log before it mails.
pub fn log_line(trigger: Trigger) -> String {
    match trigger {
        Trigger::Exited => "unexpected exit, mailing".to_owned(),
        other => format!("{}, mailing", verb(other)),
    }
}

/// crashmail's text.
pub fn mail_text(trigger: Trigger, change: &StateChange) -> String {
    let StateChange { namespec, from_state, pid, .. } = change;
    let (process, group) = (&namespec.process, &namespec.group);
    let pid = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
    let did = match trigger {
        Trigger::Exited => "exited unexpectedly".to_owned(),
        Trigger::Expected => "exited as expected".to_owned(),
        Trigger::Fatal => "failed to start too many times".to_owned(),
        Trigger::Backoff => "exited too quickly and will be started again".to_owned(),
        Trigger::Stopped | Trigger::Stopping | Trigger::Starting | Trigger::Running | Trigger::Unknown => {
            format!("entered the state {}", change.state)
        }
    };
    format!("Process {process} in group {group} {did}{pid} from state {from_state}")
}

/// A line of crashmailbatch and fatalmailbatch, without its time.
pub fn batch_line(trigger: Trigger, change: &StateChange) -> String {
    let StateChange { namespec, pid, .. } = change;
    let process = namespec.qualified();
    let pid = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
    match trigger {
        Trigger::Exited => format!("Process {process}{pid} died unexpectedly"),
        Trigger::Fatal => format!("Process {process} failed to start too many times"),
        Trigger::Expected => format!("Process {process}{pid} exited as expected"),
        Trigger::Backoff => format!("Process {process} exited too quickly and will be started again"),
        Trigger::Stopped | Trigger::Stopping | Trigger::Starting | Trigger::Running | Trigger::Unknown => {
            format!("Process {process}{pid} entered the state {}", change.state)
        }
    }
}

/// A line of crashsms, without its time.
pub fn sms_line(trigger: Trigger, change: &StateChange) -> String {
    let StateChange { namespec, pid, .. } = change;
    let pid = if pid.is_empty() { String::new() } else { format!("({pid})") };
    let did = match trigger {
        Trigger::Exited => "exited unexpectedly",
        other => verb(other),
    };
    format!("[{}]{pid} {did}", namespec.qualified())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_core::Namespec;

    fn change(state: ProcessState, expected: bool, pid: &str) -> StateChange {
        let namespec = Namespec::new("shop", "web");
        StateChange { state, namespec, from_state: "RUNNING".into(), pid: pid.into(), expected }
    }

    fn rule(on: Trigger, pattern: Option<&str>) -> CrashRule {
        let mut who = ProcessFilter::default();
        if let Some(pattern) = pattern {
            who.selection.add(pattern).unwrap();
        }
        CrashRule { filter: who, triggers: Triggers::only(on) }
    }

    #[test]
    fn only_the_wanted_happenings_of_the_wanted_programs_count() {
        let crash = change(ProcessState::Exited, false, "7");
        assert_eq!(rule(Trigger::Exited, None).judge(&crash), Some(Trigger::Exited));
        assert_eq!(rule(Trigger::Exited, Some("shop:*")).judge(&crash), Some(Trigger::Exited));
        assert_eq!(rule(Trigger::Exited, Some("!web")).judge(&crash), None);
        assert_eq!(rule(Trigger::Fatal, None).judge(&crash), None);
        assert_eq!(rule(Trigger::Exited, None).judge(&change(ProcessState::Exited, true, "7")), None);
    }

    #[test]
    fn the_words_are_superlances() {
        let crash = change(ProcessState::Exited, false, "7");
        assert_eq!(
            mail_text(Trigger::Exited, &crash),
            "Process web in group shop exited unexpectedly (pid 7) from state RUNNING"
        );
        assert_eq!(batch_line(Trigger::Exited, &crash), "Process shop:web (pid 7) died unexpectedly");
        assert_eq!(sms_line(Trigger::Exited, &crash), "[shop:web](7) exited unexpectedly");
        let fatal = change(ProcessState::Fatal, false, "");
        assert_eq!(batch_line(Trigger::Fatal, &fatal), "Process shop:web failed to start too many times");
    }
}
