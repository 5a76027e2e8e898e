//! [`CrashRule`]: which state changes make an alert, and the line that superlance logs about one.

use ironlance_alert::Notification;
use ironlance_alert::notification::Cause;
use ironlance_alert::render::wording;
use ironlance_core::event::StateChange;
use ironlance_core::{Namespec, ProcessState};

use super::filter::ProcessFilter;
use super::trigger::{Trigger, Triggers};

/// What crashmail and the batch mailers mail about.
#[derive(Clone, Debug)]
pub struct CrashRule {
    /// Which programs.
    pub filter: ProcessFilter,
    /// Which state changes.
    pub triggers: Triggers,
}

impl CrashRule {
    /// Whether events of this type can cause a mail.
    pub fn wants(&self, event_name: &str) -> bool {
        let state = event_name.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name);
        let wants = |state| {
            [false, true].iter().any(|expected| self.triggers.contains(Trigger::of(state, *expected)))
        };
        state.is_some_and(wants)
    }

    /// The trigger of a state change, if it is mailed.
    pub fn judge(&self, change: &StateChange) -> Option<Trigger> {
        let trigger = Trigger::of(change.to, change.detail.is_expected_exit());
        let wanted = self.triggers.contains(trigger) && self.filter.selection.includes(&change.process);
        wanted.then_some(trigger)
    }
}

/// The notification of a state change at the local time `time`.
pub fn notification(change: &StateChange, time: String) -> Notification {
    let cause = Cause::StateChange {
        name: Namespec::clone(&change.process),
        state: change.to,
        expected: change.detail.is_expected_exit(),
        from: change.from.map_or("", ProcessState::name).to_owned(),
        pid: change.detail.pid().map(|pid| pid.to_string()),
    };
    Notification { cause, time, details: Vec::new() }
}

/// What crashmail writes to its log before it mails.
pub fn log_line(trigger: Trigger, change: &StateChange) -> String {
    match trigger {
        Trigger::Exited => "unexpected exit, mailing".to_owned(),
        _ => format!("{}, mailing", wording::verb(change.to, change.detail.is_expected_exit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ironlance_core::event::StateDetail;

    fn change(state: ProcessState, expected: bool, pid: &str) -> StateChange {
        let process = Namespec::new("shop", "web").into();
        let detail = match pid.parse() {
            Ok(pid) if state == ProcessState::Exited => StateDetail::Exit { expected, pid },
            Ok(pid) => StateDetail::Pid(pid),
            Err(_) => StateDetail::Nothing,
        };
        StateChange { process, from: Some(ProcessState::Running), to: state, detail }
    }

    fn rule(on: Trigger, pattern: Option<&str>) -> CrashRule {
        let mut filter = ProcessFilter::default();
        if let Some(pattern) = pattern {
            filter.selection.add(pattern).unwrap();
        }
        CrashRule { filter, triggers: Triggers::only(on) }
    }

    #[test]
    fn only_the_wanted_triggers_of_the_wanted_programs_count() {
        let crash = change(ProcessState::Exited, false, "7");
        assert_eq!(rule(Trigger::Exited, None).judge(&crash), Some(Trigger::Exited));
        assert_eq!(rule(Trigger::Exited, Some("shop:*")).judge(&crash), Some(Trigger::Exited));
        assert_eq!(rule(Trigger::Exited, Some("!web")).judge(&crash), None);
        assert_eq!(rule(Trigger::Fatal, None).judge(&crash), None);
        assert_eq!(rule(Trigger::Exited, None).judge(&change(ProcessState::Exited, true, "7")), None);
    }
}
