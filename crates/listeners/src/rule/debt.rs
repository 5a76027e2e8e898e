//! What becomes of a program that a listener has stopped and not started again yet.
//!
//! Whoever stops a program owes it a start, also as a successor that was started after a crash. The debt ends when the
//! program is up, when it has become somebody else's business, or when it is too old for anybody to expect it.

use ironlance_core::ProcessState;

/// A start is owed for so many seconds after the last try; a listener that was away for longer leaves the program as it
/// is. A listener that runs tries at each tick, so for it no debt grows old.
pub const LONGEST_AWAY: i64 = 3600;

/// A start that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debt {
    /// When the program was stopped, or when its start was last tried; seconds since 1970.
    pub tried: i64,
}

/// What supervisord tells of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state; `None` if it is one that we do not know.
    pub state: Option<ProcessState>,
    /// How many seconds ago it was last started, by supervisord's clock; `None` for never since supervisord began.
    pub started_ago: Option<i64>,
}

/// What to do about a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Start it.
    Start,
    /// Supervisord is at it: look again.
    Wait,
    /// It is up, or nobody can tell.
    Paid,
    /// Leave it as it is, for this reason, which goes behind `not starting NAME: `.
    Dropped(&'static str),
}

/// Two clocks, in whole seconds, may differ by this about one moment.
const SLACK: i64 = 2;

/// What to do at `now`, in seconds since 1970.
///
/// | state | debt is older than an hour | started since the last try | never started | else |
/// |---|---|---|---|---|
/// | STOPPED | dropped | dropped: somebody has stopped it again | dropped: supervisord is a new one | start |
/// | EXITED, FATAL | dropped | start | dropped | start |
/// | RUNNING, unknown | paid | paid | paid | paid |
/// | all others | wait | wait | wait | wait |
pub fn judge(debt: Debt, standing: Standing, now: i64) -> Claim {
    use ProcessState as S;
    let is_stopped = match standing.state {
        Some(S::Stopped) => true,
        Some(S::Exited | S::Fatal) => false,
        Some(S::Running) | None => return Claim::Paid,
        Some(S::Starting | S::Backoff | S::Stopping | S::Unknown) => return Claim::Wait,
    };
    let age = now.saturating_sub(debt.tried);
    if age > LONGEST_AWAY {
        return Claim::Dropped("I stopped it more than an hour ago and was not there since");
    }
    let Some(started_ago) = standing.started_ago else {
        return Claim::Dropped("supervisord was restarted since I stopped it");
    };
    // A start of ours that fails leaves EXITED or FATAL; STOPPED after a start is somebody's will.
    if is_stopped && started_ago.saturating_add(SLACK) < age {
        return Claim::Dropped("somebody has started and stopped it since");
    }
    Claim::Start
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRIED: i64 = 1_000_000;

    /// `age` seconds after the last try, for a program that was started `before` seconds before it.
    fn claim(state: ProcessState, before: Option<i64>, age: i64) -> Claim {
        let started_ago = before.map(|before| before + age);
        judge(Debt { tried: TRIED }, Standing { state: Some(state), started_ago }, TRIED + age)
    }

    #[test]
    fn a_program_that_we_stopped_a_moment_ago_is_started() {
        for state in [ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal] {
            assert_eq!(claim(state, Some(500), 60), Claim::Start, "{state}");
        }
        // A start of ours that failed.
        assert_eq!(claim(ProcessState::Fatal, Some(-3), 60), Claim::Start);
        assert_eq!(claim(ProcessState::Stopped, Some(500), LONGEST_AWAY), Claim::Start);
    }

    #[test]
    fn what_was_switched_off_long_ago_or_by_somebody_else_stays_off() {
        let dropped = |state, before, age| matches!(claim(state, before, age), Claim::Dropped(_));
        assert!(dropped(ProcessState::Stopped, Some(500), LONGEST_AWAY + 1));
        assert!(dropped(ProcessState::Fatal, Some(500), LONGEST_AWAY + 1));
        assert!(dropped(ProcessState::Stopped, Some(-10), 60));
        assert!(dropped(ProcessState::Stopped, None, 60));
    }

    proptest! {
        #[test]
        fn nothing_is_started_that_is_up_or_was_left_alone_for_an_hour(
            code in 0_usize..8, started_ago in proptest::option::of(any::<i64>()), age in any::<i64>(),
        ) {
            let state = ProcessState::ALL[code];
            let claim = judge(Debt { tried: TRIED }, Standing { state: Some(state), started_ago }, TRIED.saturating_add(age));
            if claim == Claim::Start {
                prop_assert!(age <= LONGEST_AWAY && started_ago.is_some());
                prop_assert!([ProcessState::Stopped, ProcessState::Exited, ProcessState::Fatal].contains(&state));
            }
        }
    }
}
