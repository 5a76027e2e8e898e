//! [`MemoryRule`]: which memory limits a process exceeds, and for how many ticks it has done so.

use std::collections::{BTreeMap, HashMap};

use ironlance_alert::notification::MemoryOutcome;
use ironlance_core::{Namespec, Selection};

/// A limit on the processes that a pattern names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerMemoryLimit {
    /// The limit as given, for messages: `web=209715200`.
    pub named: String,
    /// The processes that it applies to.
    pub processes: Selection,
    /// The maximum memory of such a process, in bytes.
    pub bytes: u64,
}

/// The limits that are checked, as the original logs them at each tick: bytes by name.
pub fn status(programs: &[(String, u64)], groups: &[(String, u64)], any: Option<u64>) -> String {
    let list = |what: &str, sizes: &[(String, u64)]| {
        let sizes: BTreeMap<&String, &u64> = sizes.iter().map(|(name, size)| (name, size)).collect();
        let sizes: Vec<String> = sizes.iter().map(|(name, size)| format!("{name}={size}")).collect();
        (!sizes.is_empty()).then(|| format!("Checking {what} {}", sizes.join(", ")))
    };
    let any = any.map(|any| format!("Checking any={any}"));
    let lines: Vec<String> =
        [list("programs", programs), list("groups", groups), any].into_iter().flatten().collect();
    lines.join("\n") + "\n"
}

/// Whether an outcome is mailed about a process that has been up for `uptime` seconds, with `--uptime LIMIT`.
pub fn is_wanted(outcome: &MemoryOutcome, uptime: i64, limit: Option<i64>) -> bool {
    outcome.is_failure() || limit.is_none_or(|limit| uptime <= limit)
}

/// Outcomes with the same key are mailed once per reminder interval; `None`, for a restart: every time. Another process
/// of the same name is no repetition, unless the action failed.
pub fn repeat_key(outcome: &MemoryOutcome, subject: &str, pid: u32) -> Option<String> {
    match outcome {
        MemoryOutcome::Restarted => None,
        MemoryOutcome::Notified | MemoryOutcome::Signalled(_) => Some(format!("{subject} {pid}")),
        MemoryOutcome::StopFailed(_) | MemoryOutcome::StartFailed(_) | MemoryOutcome::SignalFailed { .. } => {
            Some(subject.to_owned())
        }
    }
}

/// The limits of one memmon, and the processes that are over them.
#[derive(Debug)]
pub struct MemoryRule {
    limits: Vec<ListenerMemoryLimit>,
    ticks_required: u32,
    over: HashMap<Namespec, (u32, u32)>,
}

/// The result for one process after one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryVerdict {
    /// How many limits apply to the process: the log has a line for each.
    pub checked: usize,
    /// What the limits say.
    pub finding: LimitState,
}

/// What the limits say about a reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitState {
    /// Within all of its limits, or has none.
    Within,
    /// Over a limit, for fewer ticks in a row than it takes to act.
    Waiting {
        /// Ticks in a row that it has been over.
        ticks: u32,
        /// Ticks that it takes to act.
        of: u32,
    },
    /// Over for long enough: the lowest limit that it exceeds.
    Over(ListenerMemoryLimit),
}

impl MemoryRule {
    /// `ticks_required`: ticks in a row that a process must be over before something is done; at least 1.
    pub fn new(limits: Vec<ListenerMemoryLimit>, patience: u32) -> Self {
        Self { limits, ticks_required: patience.max(1), over: HashMap::new() }
    }

    /// Whether any limit names the process.
    pub fn applies_to(&self, namespec: &Namespec) -> bool {
        self.limits.iter().any(|limit| limit.processes.names(namespec))
    }

    /// Judges the memory of a process at one tick; a new `pid` starts the count of ticks again.
    pub fn judge(&mut self, namespec: &Namespec, pid: u32, bytes: u64) -> MemoryVerdict {
        let held: Vec<&ListenerMemoryLimit> =
            self.limits.iter().filter(|limit| limit.processes.names(namespec)).collect();
        let broken = held.iter().filter(|limit| bytes > limit.bytes).min_by_key(|limit| limit.bytes);
        let checked = held.len();
        let Some(&tightest) = broken else {
            self.over.remove(namespec);
            return MemoryVerdict { checked, finding: LimitState::Within };
        };
        let (seen_pid, ticks) = self.over.get(namespec).copied().unwrap_or((pid, 0));
        let ticks = if seen_pid == pid { ticks.saturating_add(1) } else { 1 };
        if ticks < self.ticks_required {
            let finding = LimitState::Waiting { ticks, of: self.ticks_required };
            self.over.insert(namespec.clone(), (pid, ticks));
            return MemoryVerdict { checked, finding };
        }
        let finding = LimitState::Over(tightest.clone());
        self.over.remove(namespec);
        MemoryVerdict { checked, finding }
    }

    /// Drops the processes that no longer exist.
    pub fn retain(&mut self, known: &[Namespec]) {
        self.over.retain(|namespec, _| known.contains(namespec));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(pattern: &str, bytes: u64) -> ListenerMemoryLimit {
        let mut selection = Selection::default();
        selection.add(pattern).unwrap();
        ListenerMemoryLimit { named: format!("{pattern}={bytes}"), processes: selection, bytes }
    }

    #[test]
    fn the_tightest_broken_limit_is_the_one_that_is_named() {
        let mut rule = MemoryRule::new(vec![limit("*", 500), limit("web:*", 100), limit("cat", 300)], 1);
        let verdict = rule.judge(&Namespec::new("web", "cat"), 7, 400);
        assert_eq!(verdict.checked, 3);
        assert_eq!(verdict.finding, LimitState::Over(limit("web:*", 100)));
    }

    #[test]
    fn a_process_exactly_at_its_limit_is_within() {
        let mut rule = MemoryRule::new(vec![limit("cat", 100)], 1);
        assert_eq!(rule.judge(&Namespec::new("cat", "cat"), 7, 100).finding, LimitState::Within);
        assert_eq!(rule.judge(&Namespec::new("dog", "dog"), 7, 100).checked, 0);
    }

    #[test]
    fn patience_counts_ticks_in_a_row_of_the_same_process() {
        let mut rule = MemoryRule::new(vec![limit("cat", 100)], 3);
        let cat = Namespec::new("cat", "cat");
        let patient = |ticks| LimitState::Waiting { ticks, of: 3 };
        assert_eq!(rule.judge(&cat, 7, 101).finding, patient(1));
        assert_eq!(rule.judge(&cat, 7, 101).finding, patient(2));
        assert_eq!(rule.judge(&cat, 7, 99).finding, LimitState::Within);
        assert_eq!(rule.judge(&cat, 7, 101).finding, patient(1));
        assert_eq!(rule.judge(&cat, 8, 101).finding, patient(1), "another pid starts anew");
        assert_eq!(rule.judge(&cat, 8, 101).finding, patient(2));
        assert_eq!(rule.judge(&cat, 8, 101).finding, LimitState::Over(limit("cat", 100)));
        assert_eq!(rule.judge(&cat, 8, 101).finding, patient(1), "and again after it was dealt with");
    }

    #[test]
    fn the_status_names_each_limit_as_superlance_does() {
        let limit = |name: &str, size| (name.to_owned(), size);
        let text = status(&[limit("b", 2), limit("a", 1)], &[limit("g", 3)], Some(4));
        assert_eq!(text, "Checking programs a=1, b=2\nChecking groups g=3\nChecking any=4\n");
        assert_eq!(status(&[], &[], None), "\n");
    }

    #[test]
    fn a_failure_is_mailed_whatever_the_uptime() {
        assert!(is_wanted(&MemoryOutcome::StopFailed("gone".into()), 100, Some(5)));
        assert!(
            is_wanted(&MemoryOutcome::Restarted, 5, Some(5))
                && is_wanted(&MemoryOutcome::Restarted, 100, None)
        );
        assert!(!is_wanted(&MemoryOutcome::Restarted, 6, Some(5)));
    }

    #[test]
    fn a_restart_is_no_repetition_and_another_process_is_none_unless_the_action_failed() {
        assert_eq!(repeat_key(&MemoryOutcome::Restarted, "s", 7), None);
        for outcome in [MemoryOutcome::Notified, MemoryOutcome::Signalled("SIGUSR1".into())] {
            assert_ne!(repeat_key(&outcome, "s", 7), repeat_key(&outcome, "s", 8));
        }
        let failed = MemoryOutcome::StartFailed("gone".into());
        assert_eq!(repeat_key(&failed, "s", 7), repeat_key(&failed, "s", 8));
    }
}
