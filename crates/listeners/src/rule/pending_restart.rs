//! What becomes of a program that a listener has stopped and not started again yet.
//!
//! Whoever stops a program owes it a start, also as a successor that was started after a crash. The pending ends when the
//! program is up, when it has become somebody else's business, or when it is too old for anybody to expect it.

use ironlance_core::ProcessState;

/// A start is owed for so many seconds after the last try; a listener that was away for longer leaves the program as it
/// is. A listener that runs tries at each tick, so for it no pending grows old.
pub const MAX_ABSENCE: i64 = 3600;

/// A start that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRestart {
    /// When the program was stopped, or when its start was last tried; seconds since 1970.
    pub last_try: i64,
}

/// What supervisord tells of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramStatus {
    /// Its state; `None` if it is one that we do not know.
    pub state: Option<ProcessState>,
    /// How many seconds ago it was last started, by supervisord's clock; `None` for never since supervisord began.
    pub started_ago: Option<i64>,
}

/// What to do about a pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Start it.
    Start,
    /// Supervisord is at it: look again.
    Wait,
    /// It is up, or nobody can tell.
    Done,
    /// Leave it as it is, for this reason, which goes behind `not starting NAME: `.
    Abandon(&'static str),
}

/// Two clocks, in whole seconds, may differ by this about one moment.
const SLACK: i64 = 2;

/// What to do at `now`, in seconds since 1970.
///
/// | state | pending is older than an hour | started since the last try | never started | else |
/// |---|---|---|---|---|
/// | STOPPED | dropped | dropped: somebody has stopped it again | dropped: supervisord is a new one | start |
/// | EXITED, FATAL | dropped | start | dropped | start |
/// | RUNNING, unknown | paid | paid | paid | paid |
/// | all others | wait | wait | wait | wait |
pub fn decide(pending: PendingRestart, status: ProgramStatus, now: i64) -> RetryDecision {
    use ProcessState as S;
    let is_stopped = match status.state {
        Some(S::Stopped) => true,
        Some(S::Exited | S::Fatal) => false,
        Some(S::Running) | None => return RetryDecision::Done,
        Some(S::Starting | S::Backoff | S::Stopping | S::Unknown) => return RetryDecision::Wait,
    };
    let age = now.saturating_sub(pending.last_try);
    if age > MAX_ABSENCE {
        return RetryDecision::Abandon("I stopped it more than an hour ago and was not there since");
    }
    let Some(started_ago) = status.started_ago else {
        return RetryDecision::Abandon("supervisord was restarted since I stopped it");
    };
    // A start of ours that fails leaves EXITED or FATAL; STOPPED after a start is somebody's will.
    if is_stopped && started_ago.saturating_add(SLACK) < age {
        return RetryDecision::Abandon("somebody has started and stopped it since");
    }
    RetryDecision::Start
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRIED: i64 = 1_000_000;

    /// `age` seconds after the last try, for a program that was started `before` seconds before it.
    fn claim(state: ProcessState, before: Option<i64>, age: i64) -> RetryDecision {
        let started_ago = before.map(|before| before + age);
        decide(
            PendingRestart { last_try: TRIED },
            ProgramStatus { state: Some(state), started_ago },
            TRIED + age,
        )
    }

    #[test]
    fn a_program_that_we_stopped_a_moment_ago_is_started() {
        for state in [ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal] {
            assert_eq!(claim(state, Some(500), 60), RetryDecision::Start, "{state}");
        }
        // A start of ours that failed.
        assert_eq!(claim(ProcessState::Fatal, Some(-3), 60), RetryDecision::Start);
        assert_eq!(claim(ProcessState::Stopped, Some(500), MAX_ABSENCE), RetryDecision::Start);
    }

    #[test]
    fn what_was_switched_off_long_ago_or_by_somebody_else_stays_off() {
        let dropped = |state, before, age| matches!(claim(state, before, age), RetryDecision::Abandon(_));
        assert!(dropped(ProcessState::Stopped, Some(500), MAX_ABSENCE + 1));
        assert!(dropped(ProcessState::Fatal, Some(500), MAX_ABSENCE + 1));
        assert!(dropped(ProcessState::Stopped, Some(-10), 60));
        assert!(dropped(ProcessState::Stopped, None, 60));
    }

    proptest! {
        #[test]
        fn nothing_is_started_that_is_up_or_was_left_alone_for_an_hour(
            code in 0_usize..8, started_ago in proptest::option::of(any::<i64>()), age in any::<i64>(),
        ) {
            let state = ProcessState::ALL[code];
            let claim = decide(PendingRestart { last_try: TRIED }, ProgramStatus { state: Some(state), started_ago }, TRIED.saturating_add(age));
            if claim == RetryDecision::Start {
                prop_assert!(age <= MAX_ABSENCE && started_ago.is_some());
                prop_assert!([ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal].contains(&state));
            }
        }
    }
}
