//! Which state changes are worth a mail, and the words for them.

use ironlance_alert::Notification;
use ironlance_alert::notification::Cause;
use ironlance_alert::render::text;
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

/// The notification of a state change at the local time `time`.
pub fn notification(change: &StateChange, time: String) -> Notification {
    let StateChange { namespec, state, expected, from_state, pid } = change.clone();
    let cause = Cause::StateChange {
        name: namespec,
        state,
        expected,
        from: from_state,
        pid: Some(pid).filter(|pid| !pid.is_empty()),
    };
    Notification { cause, time, details: Vec::new() }
}

/// What crashmail writes to its log before it mails.
pub fn log_line(trigger: Trigger, change: &StateChange) -> String {
    match trigger {
        Trigger::Exited => "unexpected exit, mailing".to_owned(),
        _ => format!("{}, mailing", text::verb(change.state, change.expected)),
    }
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
}
