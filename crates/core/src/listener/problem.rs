//! What is wrong with an event listener: [`ListenerProblem`], found by one rule for the web page and for
//! `supervisorctl listeners`.

use std::fmt;

use super::protocol::ListenerState;

/// A problem of one process of a pool, in words by its `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerProblem {
    /// Its process does not run.
    NotRunning,
    /// It broke the protocol and will be restarted.
    BrokeProtocol,
    /// Events are queued, and it has not sent READY.
    NotReady,
    /// The queue of its pool is full.
    BufferFull,
    /// This many events are queued; harmless while the number goes down.
    Queued(u64),
    /// This many events of its pool were dropped, and of which types.
    Dropped(u64, String),
    /// This many events were rejected by all members, and of which types.
    Rejected(u64, String),
    /// It was restarted this often lately for breaking the protocol.
    Recycled(u64),
    /// It wrote output outside the protocol that begins like this.
    StrayOutput(String),
    /// A warning of the configuration.
    Misconfigured(String),
}

/// The facts that decide what is wrong with a listener. Event counts are of its pool.
#[derive(Clone, Debug)]
pub struct ListenerFacts<'a> {
    /// Its state; `None` if its process does not run.
    pub state: Option<ListenerState>,
    /// Queued events.
    pub pending: u64,
    /// Whether the queue is full.
    pub is_full: bool,
    /// Dropped events, and how many of which types.
    pub dropped: (u64, String),
    /// Events that were rejected by all members, and how many of which types.
    pub rejected: (u64, String),
    /// How often it was restarted lately for breaking the protocol.
    pub recycled: u64,
    /// The beginning of its last stray output, if there was any.
    pub stray_output: Option<&'a str>,
    /// Warnings of the configuration.
    pub warnings: &'a [String],
}

impl ListenerFacts<'_> {
    /// All problems, in the order in which they are shown.
    pub fn problems(self) -> Vec<ListenerProblem> {
        let state = match self.state {
            None => Some(ListenerProblem::NotRunning),
            Some(ListenerState::Unknown) => Some(ListenerProblem::BrokeProtocol),
            Some(ListenerState::Acknowledged) if self.pending > 0 => Some(ListenerProblem::NotReady),
            Some(_) => None,
        };
        let queue = match self.pending {
            0 => None,
            _ if self.is_full => Some(ListenerProblem::BufferFull),
            pending => Some(ListenerProblem::Queued(pending)),
        };
        let ((dropped, dropped_types), (rejected, rejected_types)) = (self.dropped, self.rejected);
        let dropped = (dropped > 0).then_some(ListenerProblem::Dropped(dropped, dropped_types));
        let rejected = (rejected > 0).then_some(ListenerProblem::Rejected(rejected, rejected_types));
        let recycled = (self.recycled > 0).then_some(ListenerProblem::Recycled(self.recycled));
        let stray =
            self.stray_output.map(|text| ListenerProblem::StrayOutput(text.escape_debug().to_string()));
        let warnings = self.warnings.iter().cloned().map(ListenerProblem::Misconfigured);
        [state, queue, dropped, rejected, recycled, stray].into_iter().flatten().chain(warnings).collect()
    }
}

impl ListenerProblem {
    /// Whether it is more than a queue that is being worked on, or harmless stray output.
    pub const fn needs_attention(&self) -> bool {
        !matches!(self, Self::Queued(_) | Self::StrayOutput(_))
    }
}

impl fmt::Display for ListenerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = |count: u64| if count == 1 { "event" } else { "events" };
        match self {
            Self::NotRunning => f.write_str("not running"),
            Self::BrokeProtocol => f.write_str("broke the protocol"),
            Self::NotReady => f.write_str("has not said READY"),
            Self::BufferFull => f.write_str("its buffer is full"),
            Self::Queued(count) => write!(f, "{count} {} waiting", events(*count)),
            Self::Dropped(count, types) => write!(f, "{count} {} lost ({types})", events(*count)),
            Self::Rejected(count, types) => {
                write!(f, "{count} {} that nobody dealt with ({types})", events(*count))
            }
            Self::Recycled(count) => write!(f, "restarted for breaking the protocol, {count} lately"),
            Self::StrayOutput(text) => write!(f, "babbled: \"{text}\""),
            Self::Misconfigured(warning) => f.write_str(warning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(facts: ListenerFacts<'_>) -> String {
        facts.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_problem_is_found_and_put_into_words() {
        let well = || ListenerFacts {
            state: Some(ListenerState::Busy),
            pending: 0,
            is_full: false,
            dropped: (0, "none".into()),
            rejected: (0, "none".into()),
            recycled: 0,
            stray_output: None,
            warnings: &[],
        };
        let warnings = ["a warning".to_owned()];
        let state = |state| ListenerFacts { state, ..well() };
        for (facts, expected) in [
            (well(), ""),
            (state(None), "not running"),
            (state(Some(ListenerState::Unknown)), "broke the protocol"),
            (state(Some(ListenerState::Acknowledged)), ""),
            (
                ListenerFacts { pending: 1, ..state(Some(ListenerState::Acknowledged)) },
                "has not said READY; 1 event waiting",
            ),
            (ListenerFacts { pending: 3, ..well() }, "3 events waiting"),
            (ListenerFacts { pending: 3, is_full: true, ..well() }, "its buffer is full"),
            (ListenerFacts { is_full: true, ..well() }, ""),
            (
                ListenerFacts { dropped: (1, "1 TICK_5".into()), recycled: 2, ..well() },
                "1 event lost (1 TICK_5); restarted for breaking the protocol, 2 lately",
            ),
            (
                ListenerFacts { rejected: (2, "2 TICK_60".into()), ..well() },
                "2 events that nobody dealt with (2 TICK_60)",
            ),
            (
                ListenerFacts { stray_output: Some("hi\n"), warnings: &warnings, ..well() },
                "babbled: \"hi\\n\"; a warning",
            ),
        ] {
            assert_eq!(words(facts), expected);
        }
    }

    #[test]
    fn a_queue_and_stray_output_alone_need_no_attention() {
        assert!(!ListenerProblem::Queued(1).needs_attention());
        assert!(!ListenerProblem::StrayOutput(String::new()).needs_attention());
        assert!(ListenerProblem::BufferFull.needs_attention());
    }
}
