//! Events that a crash mailer receives and makes no mail of: the note that says so, and which `--on` would use them.

use std::collections::BTreeSet;

use ironlance_core::ProcessState;

use super::trigger::{Trigger, Triggers};

/// Frequent states, which every subscriber of PROCESS_STATE receives.
const COMMON: [ProcessState; 4] =
    [ProcessState::Starting, ProcessState::Running, ProcessState::Stopping, ProcessState::Exited];

/// A line about those of `events`, the names in `events=`, of which a mailer with this `--on` makes no mail; `None`
/// if it uses all. The classes (`PROCESS_STATE`, `EVENT`) do not count, nor do ticks, which are its clock.
pub fn unused<'e>(events: impl IntoIterator<Item = &'e str>, on: Triggers) -> Option<String> {
    let (mut states, mut others, mut adds) = (Vec::new(), Vec::new(), on);
    for event in events {
        match state(event).map(|state| Trigger::of(state, false)) {
            Some(Trigger::Exited) if on.contains(Trigger::Expected) => {}
            Some(trigger) if on.contains(trigger) => {}
            Some(trigger) => {
                states.push(event);
                adds = adds.and(trigger);
            }
            None if ["PROCESS_STATE", "EVENT"].contains(&event) || event.starts_with("TICK") => {}
            None => others.push(event),
        }
    }
    let state_part = (!states.is_empty()).then(|| {
        format!(
            "of {} no mail is made (--on {}): --on {} would",
            listed(&states),
            on.words().join(","),
            adds.words().join(",")
        )
    });
    let other_part = (!others.is_empty()).then(|| format!("{} can make no mail", listed(&others)));
    let parts: Vec<String> = state_part.into_iter().chain(other_part).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn state(event: &str) -> Option<ProcessState> {
    event.strip_prefix("PROCESS_STATE_").and_then(ProcessState::from_name)
}

fn listed(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The types of events that were reported already, under a supervisord that does not say what `events=` is.
#[derive(Clone, Debug)]
pub struct UnusedEvents {
    on: Triggers,
    reported: BTreeSet<String>,
}

impl UnusedEvents {
    /// For a mailer with this `--on`.
    pub fn new(on: Triggers) -> Self {
        Self { on, reported: BTreeSet::new() }
    }

    /// A line about the first event of a type of which no mail is made; `None` for all others, and for frequent states.
    pub fn first_notice(&mut self, event: &str) -> Option<String> {
        if state(event).is_some_and(|state| COMMON.contains(&state)) || self.reported.contains(event) {
            return None;
        }
        let line = unused([event], self.on)?;
        // Bounded, whatever types the other side sends.
        if self.reported.len() < 100 {
            self.reported.insert(event.to_owned());
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: &str = "PROCESS_STATE_EXITED,PROCESS_STATE_STOPPED,PROCESS_STATE_FATAL,PROCESS_LOG_STDERR";

    #[test]
    fn the_events_of_the_article_are_told_with_what_would_use_them() {
        let exited = Triggers::only(Trigger::Exited);
        assert_eq!(
            unused(ARTICLE.split(','), exited).unwrap(),
            "of PROCESS_STATE_STOPPED and PROCESS_STATE_FATAL no mail is made (--on exited): --on exited,fatal,stopped \
             would; PROCESS_LOG_STDERR can make no mail"
        );
        let more = exited.and(Trigger::Stopped).and(Trigger::Fatal);
        assert_eq!(unused(ARTICLE.split(','), more).unwrap(), "PROCESS_LOG_STDERR can make no mail");
    }

    #[test]
    fn whole_classes_and_the_clock_are_no_wish_for_more() {
        let exited = Triggers::only(Trigger::Exited);
        for events in ["PROCESS_STATE,TICK_60", "PROCESS_STATE_EXITED", "EVENT", ""] {
            assert_eq!(unused(events.split(',').filter(|event| !event.is_empty()), exited), None, "{events}");
        }
        assert_eq!(unused(["PROCESS_STATE_EXITED"], Triggers::only(Trigger::Expected)), None);
        assert!(unused(["PROCESS_STATE_EXITED"], Triggers::only(Trigger::Fatal)).is_some());
    }

    #[test]
    fn a_kind_is_told_of_once_and_common_states_never() {
        let mut unused_events = UnusedEvents::new(Triggers::only(Trigger::Exited));
        assert!(
            unused_events.first_notice("PROCESS_STATE_FATAL").unwrap().contains("--on exited,fatal would")
        );
        assert_eq!(unused_events.first_notice("PROCESS_STATE_FATAL"), None);
        assert!(unused_events.first_notice("PROCESS_LOG_STDERR").is_some());
        for event in ["PROCESS_STATE_EXITED", "PROCESS_STATE_RUNNING", "TICK_5"] {
            assert_eq!(unused_events.first_notice(event), None, "{event}");
        }
    }
}
