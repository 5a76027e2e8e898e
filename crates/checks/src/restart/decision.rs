//! When a program that a listener stopped is started again: [`decide`] for a [`PendingRestart`].
//!
//! A listener or `watch` that stops a program starts it again, also as a new process after a crash. The restart is no longer
//! pending when the program is up, when another client has stopped it since, or when the last try is an hour ago.

use ironlance_core::ProcessState;

/// Seconds after the last try for which a restart stays pending. A running listener tries at each tick, so only a
/// listener that was not running for longer finds an older one.
pub const MAX_ABSENCE: i64 = 3600;

/// A program that was stopped and is to be started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRestart {
    /// When the program was stopped, or when its start was last tried; seconds since 1970.
    pub last_try: i64,
}

/// The program as supervisord reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramStatus {
    /// Its state; `None` for an unknown code.
    pub state: Option<ProcessState>,
    /// Seconds since its last start, by supervisord's clock; `None` if this supervisord has never started it.
    pub started_ago: Option<i64>,
}

/// What to do about a pending restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryDecision {
    /// Start it.
    Start,
    /// It is between two states: look again at the next tick.
    Wait,
    /// It is up, or its state is unknown: the restart is no longer pending.
    Done,
    /// Leave it as it is; the reason is logged behind `not starting NAME: `.
    Abandon(&'static str),
}

/// Seconds by which two clocks with whole seconds may differ.
const SLACK: i64 = 2;

/// What to do at `now`, in seconds since 1970.
///
/// | state | last try over an hour ago | started since the last try | never started | else |
/// |---|---|---|---|---|
/// | STOPPED | abandon | abandon: another client stopped it again | abandon: supervisord is a new one | start |
/// | EXITED, FATAL | abandon | start | abandon | start |
/// | RUNNING, unknown | done | done | done | done |
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
    // A failed start of ours leaves EXITED or FATAL; STOPPED after a start was requested by another client.
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
    fn decision(state: ProcessState, before: Option<i64>, age: i64) -> RetryDecision {
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
            assert_eq!(decision(state, Some(500), 60), RetryDecision::Start, "{state}");
        }
        // A start of ours that failed.
        assert_eq!(decision(ProcessState::Fatal, Some(-3), 60), RetryDecision::Start);
        assert_eq!(decision(ProcessState::Stopped, Some(500), MAX_ABSENCE), RetryDecision::Start);
    }

    #[test]
    fn what_was_switched_off_long_ago_or_by_somebody_else_stays_off() {
        let abandoned =
            |state, before, age| matches!(decision(state, before, age), RetryDecision::Abandon(_));
        assert!(abandoned(ProcessState::Stopped, Some(500), MAX_ABSENCE + 1));
        assert!(abandoned(ProcessState::Fatal, Some(500), MAX_ABSENCE + 1));
        assert!(abandoned(ProcessState::Stopped, Some(-10), 60));
        assert!(abandoned(ProcessState::Stopped, None, 60));
    }

    proptest! {
        #[test]
        fn nothing_is_started_that_is_up_or_was_left_alone_for_an_hour(
            code in 0_usize..8, started_ago in proptest::option::of(any::<i64>()), age in any::<i64>(),
        ) {
            let state = ProcessState::ALL[code];
            let decision = decide(PendingRestart { last_try: TRIED }, ProgramStatus { state: Some(state), started_ago }, TRIED.saturating_add(age));
            if decision == RetryDecision::Start {
                prop_assert!(age <= MAX_ABSENCE && started_ago.is_some());
                prop_assert!([ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal].contains(&state));
            }
        }
    }
}
