//! [`ListenerStatus`]: an item of the answer of `ironlance.getListeners`, and the rule for what is a problem.

use ironlance_core::Namespec;
use ironlance_core::listener::problem::{ListenerFacts, ListenerProblem};
use ironlance_core::listener::protocol::ListenerState;

use super::{Record, StructError, member_table};
use crate::value::Value;

/// An event listener and the queue of its pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListenerStatus {
    /// The pool, which is its group.
    pub pool: String,
    /// The process's name within its group.
    pub process: String,
    /// Its state in the protocol, such as `READY`; `NOT_RUNNING` without a process.
    pub state: String,
    /// The serial of the event in work.
    pub event: Option<u64>,
    /// Its last result.
    pub last_result: String,
    /// How often it violated the protocol lately.
    pub violations: u64,
    /// How often it wrote stray output.
    pub stray_outputs: u64,
    /// The beginning of its last stray output.
    pub stray_output: String,
    /// Events that wait in the pool.
    pub pending: u64,
    /// The most events that may wait; `None` if memory is the bound.
    pub capacity: Option<u64>,
    /// The bytes of waiting events.
    pub pending_bytes: u64,
    /// The most bytes of waiting events.
    pub capacity_bytes: u64,
    /// Whether the buffer is full.
    pub is_full: bool,
    /// Events that were dropped.
    pub dropped: u64,
    /// The same by event type.
    pub dropped_by_type: Vec<(String, u64)>,
    /// Events that were merged with others.
    pub merged: u64,
    /// Events that were answered.
    pub answered: u64,
    /// Events that no listener of the pool could process.
    pub dead_letters: u64,
    /// The same by event type.
    pub dead_letters_by_type: Vec<(String, u64)>,
    /// Why it cannot do its work as configured.
    pub doubts: Vec<String>,
}

member_table! {
    ListenerStatus {
        "pool" => pool, "process" => process, "state" => state, "event" => event, "last_result" => last_result,
        "offences" => violations, "babbles" => stray_outputs, "babble" => stray_output, "pending" => pending,
        "capacity" => capacity, "pending_bytes" => pending_bytes, "capacity_bytes" => capacity_bytes,
        "full" => is_full, "dropped" => dropped, "dropped_by_type" => dropped_by_type, "merged" => merged,
        "answered" => answered, "dead_letters" => dead_letters, "dead_letters_by_type" => dead_letters_by_type,
        "doubts" => doubts,
    }
}

impl Record for ListenerStatus {
    /// Reads the struct; `pool`, `process` and `state` are required.
    fn from_value(value: Value) -> Result<Self, StructError> {
        let listener: Self = super::read(value, &[])?;
        let required = [("pool", &listener.pool), ("process", &listener.process), ("state", &listener.state)];
        let missing = required.iter().find(|(_, text)| text.is_empty()).map(|(key, _)| *key);
        missing.map_or(Ok(listener), |key| Err(StructError(key)))
    }
}

impl ListenerStatus {
    /// The process's name with its group.
    pub fn namespec(&self) -> Namespec {
        Namespec::new(self.pool.as_str(), self.process.as_str())
    }

    /// What is wrong with it, by the same rule as on the web page.
    pub fn problems(&self) -> Vec<ListenerProblem> {
        let facts = ListenerFacts {
            // An unknown state is that of a newer daemon, and no problem.
            state: match self.state.as_str() {
                "NOT_RUNNING" => None,
                state => Some(ListenerState::from_name(state).unwrap_or(ListenerState::Busy)),
            },
            pending: self.pending,
            is_full: self.is_full,
            dropped: (self.dropped, counts_text(&self.dropped_by_type)),
            rejected: (self.dead_letters, counts_text(&self.dead_letters_by_type)),
            recycled: self.violations,
            stray_output: (self.stray_outputs > 0).then_some(self.stray_output.as_str()),
            warnings: &self.doubts,
        };
        facts.problems()
    }
}

/// `3 TICK_5, 1 PROCESS_STATE_EXITED`.
fn counts_text(counts: &[(String, u64)]) -> String {
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_status()(
            texts in ("\\PC{1,8}", "\\PC{1,8}", "[A-Z_]{1,12}", "\\PC{0,8}", "\\PC{0,8}"),
            numbers in prop::array::uniform9(0..u64::MAX / 2),
            options in (prop::option::of(0..u64::MAX / 2), prop::option::of(0..u64::MAX / 2)),
            is_full: bool,
            counts in prop::collection::vec(("[A-Z_]{1,12}", 0..u64::MAX / 2), 0..4),
            doubts in prop::collection::vec("\\PC{0,8}", 0..3),
        ) -> ListenerStatus {
            let (pool, process, state, last_result, stray_output) = texts;
            let [violations, stray_outputs, pending, pending_bytes, capacity_bytes, dropped, merged, answered, dead_letters] = numbers;
            ListenerStatus {
                pool, process, state, event: options.0, last_result, violations, stray_outputs, stray_output, pending,
                capacity: options.1, pending_bytes, capacity_bytes, is_full, dropped, dropped_by_type: counts.clone(),
                merged, answered, dead_letters, dead_letters_by_type: counts, doubts,
            }
        }
    }

    proptest! {
        #[test]
        fn a_listener_reads_back_as_it_was_written(listener in any_status()) {
            prop_assert_eq!(ListenerStatus::from_value(listener.clone().to_value()), Ok(listener));
        }
    }

    #[test]
    fn the_answer_of_an_older_daemon_is_read() {
        let value = Value::record([("pool", "a".into()), ("process", "a".into()), ("state", "READY".into())]);
        let listener = ListenerStatus::from_value(value).unwrap();
        assert_eq!((listener.event, listener.capacity, listener.problems()), (None, None, vec![]));
        let error = ListenerStatus::from_value(Value::record([("pool", "a".into())])).unwrap_err();
        assert_eq!(error.to_string(), "process is missing or of another type");
    }

    #[test]
    fn a_busy_queue_is_a_problem_that_needs_no_attention() {
        let busy = ListenerStatus { state: "BUSY".into(), pending: 3, ..ListenerStatus::default() };
        assert_eq!(busy.problems(), [ListenerProblem::Queued(3)]);
        assert!(!busy.problems()[0].needs_attention());
        let full = ListenerStatus { is_full: true, ..busy };
        assert_eq!(full.problems(), [ListenerProblem::BufferFull]);
        assert!(full.problems()[0].needs_attention());
    }
}
