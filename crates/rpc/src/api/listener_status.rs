//! [`ListenerStatus`]: an item of the answer of `ironlance.getListeners`, and the rule for what is a problem.

use ironlance_core::Namespec;
use ironlance_core::listener::problem::{ListenerFacts, ListenerProblem};
use ironlance_core::listener::protocol::ListenerState;

use super::{StructError, count, count_or_none, int, members, text_array, texts};
use crate::value::Value;

/// An event listener and the queue of its pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

impl ListenerStatus {
    /// The struct.
    pub fn to_value(self) -> Value {
        let or_minus_one = |number: Option<u64>| number.map_or(Value::Int(-1), int);
        Value::record([
            ("pool", self.pool.into()),
            ("process", self.process.into()),
            ("state", self.state.into()),
            ("event", or_minus_one(self.event)),
            ("last_result", self.last_result.into()),
            ("offences", int(self.violations)),
            ("babbles", int(self.stray_outputs)),
            ("babble", self.stray_output.into()),
            ("pending", int(self.pending)),
            ("capacity", or_minus_one(self.capacity)),
            ("pending_bytes", int(self.pending_bytes)),
            ("capacity_bytes", int(self.capacity_bytes)),
            ("full", self.is_full.into()),
            ("dropped", int(self.dropped)),
            ("dropped_by_type", counts_value(self.dropped_by_type)),
            ("merged", int(self.merged)),
            ("answered", int(self.answered)),
            ("dead_letters", int(self.dead_letters)),
            ("dead_letters_by_type", counts_value(self.dead_letters_by_type)),
            ("doubts", text_array(self.doubts)),
        ])
    }

    /// Reads the struct; `pool`, `process` and `state` are required.
    pub fn from_value(value: Value) -> Result<Self, StructError> {
        let mut listener = Self::default();
        for (key, value) in members(value)? {
            match (&*key, value) {
                ("pool", Value::Str(text)) => listener.pool = text,
                ("process", Value::Str(text)) => listener.process = text,
                ("state", Value::Str(text)) => listener.state = text,
                ("event", Value::Int(serial)) => listener.event = count_or_none(serial),
                ("last_result", Value::Str(text)) => listener.last_result = text,
                ("offences", Value::Int(number)) => listener.violations = count(number),
                ("babbles", Value::Int(number)) => listener.stray_outputs = count(number),
                ("babble", Value::Str(text)) => listener.stray_output = text,
                ("pending", Value::Int(number)) => listener.pending = count(number),
                ("capacity", Value::Int(number)) => listener.capacity = count_or_none(number),
                ("pending_bytes", Value::Int(number)) => listener.pending_bytes = count(number),
                ("capacity_bytes", Value::Int(number)) => listener.capacity_bytes = count(number),
                ("full", Value::Bool(yes)) => listener.is_full = yes,
                ("dropped", Value::Int(number)) => listener.dropped = count(number),
                ("dropped_by_type", counts) => listener.dropped_by_type = counts_from(counts),
                ("merged", Value::Int(number)) => listener.merged = count(number),
                ("answered", Value::Int(number)) => listener.answered = count(number),
                ("dead_letters", Value::Int(number)) => listener.dead_letters = count(number),
                ("dead_letters_by_type", counts) => listener.dead_letters_by_type = counts_from(counts),
                ("doubts", Value::Array(items)) => listener.doubts = texts(items),
                _ => {}
            }
        }
        let required = [("pool", &listener.pool), ("process", &listener.process), ("state", &listener.state)];
        let missing = required.iter().find(|(_, text)| text.is_empty()).map(|(key, _)| *key);
        missing.map_or(Ok(listener), |key| Err(StructError(key)))
    }

    /// Reads the answer of `ironlance.getListeners`.
    pub fn list_from_value(value: Value) -> Result<Vec<Self>, StructError> {
        super::list(value, Self::from_value)
    }

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

fn counts_value(counts: Vec<(String, u64)>) -> Value {
    Value::Struct(counts.into_iter().map(|(kind, count)| (kind.into(), int(count))).collect())
}

fn counts_from(value: Value) -> Vec<(String, u64)> {
    let Value::Struct(members) = value else { return Vec::new() };
    members
        .into_iter()
        .filter_map(|(kind, number)| Some((kind.into_owned(), count(number.as_int()?))))
        .collect()
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
