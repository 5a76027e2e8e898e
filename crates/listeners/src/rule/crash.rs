//! Which state changes are worth a mail, and the words for them.

use ironlance_core::ProcessState;
use ironlance_core::event::StateChange;

use crate::options::{Happening, Happenings, Who};

/// What crashmail and the batch mailers look for.
#[derive(Clone, Debug)]
pub struct CrashRule {
    /// Which programs.
    pub who: Who,
    /// Which happenings.
    pub on: Happenings,
}

impl CrashRule {
    /// Whether events of this type can be worth a mail.
    pub fn reads(&self, event_name: &str) -> bool {
        let state = event_name.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name);
        let wants =
            |state| [false, true].iter().any(|expected| self.on.contains(Happening::of(state, *expected)));
        state.is_some_and(wants)
    }

    /// What has happened, if it is worth a mail.
    pub fn judge(&self, change: &StateChange) -> Option<Happening> {
        let happening = Happening::of(change.state, change.expected);
        let wanted = self.on.contains(happening) && self.who.selection.includes(&change.namespec);
        wanted.then_some(happening)
    }
}

/// crashmail's verb for the subject: `NAME crashed at TIME`.
pub fn verb(happening: Happening) -> &'static str {
    match happening {
        Happening::Exited => "crashed",
        Happening::Expected => "exited",
        Happening::Fatal => "failed to start",
        Happening::Backoff => "exited too quickly",
        Happening::Stopped => "stopped",
        Happening::Stopping => "stopping",
        Happening::Starting => "starting",
        Happening::Running => "running",
        Happening::Unknown => "in an unknown state",
    }
}

/// What crashmail writes to its log before it mails.
pub fn remark(happening: Happening) -> String {
    match happening {
        Happening::Exited => "unexpected exit, mailing".to_owned(),
        other => format!("{}, mailing", verb(other)),
    }
}

/// crashmail's text.
pub fn sentence(happening: Happening, change: &StateChange) -> String {
    let StateChange { namespec, from_state, pid, .. } = change;
    let (process, group) = (&namespec.process, &namespec.group);
    let pid = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
    let did = match happening {
        Happening::Exited => "exited unexpectedly".to_owned(),
        Happening::Expected => "exited as expected".to_owned(),
        Happening::Fatal => "failed to start too many times".to_owned(),
        Happening::Backoff => "exited too quickly and will be started again".to_owned(),
        Happening::Stopped
        | Happening::Stopping
        | Happening::Starting
        | Happening::Running
        | Happening::Unknown => format!("entered the state {}", change.state),
    };
    format!("Process {process} in group {group} {did}{pid} from state {from_state}")
}

/// A line of crashmailbatch and fatalmailbatch, without its time.
pub fn batch_line(happening: Happening, change: &StateChange) -> String {
    let StateChange { namespec, pid, .. } = change;
    let process = namespec.qualified();
    let pid = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
    match happening {
        Happening::Exited => format!("Process {process}{pid} died unexpectedly"),
        Happening::Fatal => format!("Process {process} failed to start too many times"),
        Happening::Expected => format!("Process {process}{pid} exited as expected"),
        Happening::Backoff => format!("Process {process} exited too quickly and will be started again"),
        Happening::Stopped
        | Happening::Stopping
        | Happening::Starting
        | Happening::Running
        | Happening::Unknown => format!("Process {process}{pid} entered the state {}", change.state),
    }
}

/// A line of crashsms, without its time.
pub fn sms_line(happening: Happening, change: &StateChange) -> String {
    let StateChange { namespec, pid, .. } = change;
    let pid = if pid.is_empty() { String::new() } else { format!("({pid})") };
    let did = match happening {
        Happening::Exited => "exited unexpectedly",
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

    fn rule(on: Happening, pattern: Option<&str>) -> CrashRule {
        let mut who = Who::default();
        if let Some(pattern) = pattern {
            who.selection.add(pattern).unwrap();
        }
        CrashRule { who, on: Happenings::only(on) }
    }

    #[test]
    fn only_the_wanted_happenings_of_the_wanted_programs_count() {
        let crash = change(ProcessState::Exited, false, "7");
        assert_eq!(rule(Happening::Exited, None).judge(&crash), Some(Happening::Exited));
        assert_eq!(rule(Happening::Exited, Some("shop:*")).judge(&crash), Some(Happening::Exited));
        assert_eq!(rule(Happening::Exited, Some("!web")).judge(&crash), None);
        assert_eq!(rule(Happening::Fatal, None).judge(&crash), None);
        assert_eq!(rule(Happening::Exited, None).judge(&change(ProcessState::Exited, true, "7")), None);
    }

    #[test]
    fn the_words_are_superlances() {
        let crash = change(ProcessState::Exited, false, "7");
        assert_eq!(
            sentence(Happening::Exited, &crash),
            "Process web in group shop exited unexpectedly (pid 7) from state RUNNING"
        );
        assert_eq!(batch_line(Happening::Exited, &crash), "Process shop:web (pid 7) died unexpectedly");
        assert_eq!(sms_line(Happening::Exited, &crash), "[shop:web](7) exited unexpectedly");
        let fatal = change(ProcessState::Fatal, false, "");
        assert_eq!(batch_line(Happening::Fatal, &fatal), "Process shop:web failed to start too many times");
    }
}
