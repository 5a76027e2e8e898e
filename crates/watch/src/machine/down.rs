//! From process events to the family `down`: [`ProgramMemory`], what is remembered of a program, and the crash-loop rule.
//!
//! | event | input to `down` |
//! |---|---|
//! | EXITED, not expected | `Bad(Crash)`, counted |
//! | EXITED, expected, and started again | counted |
//! | BACKOFF | counted; `Bad(Backoff)` where somebody wants that |
//! | FATAL, UNKNOWN | `Bad(Fatal)` |
//! | RUNNING | `Good` |
//! | STOPPING, STOPPED | `Gone(Operator)`; a stop of ours is none, and its end is counted |
//!
//! What is counted is `Bad(Loop)` where it is the last of `loop=`'s number within its time. Ends that an operator caused do
//! not count; those of our own restarts do, as a program that must be restarted again and again is in a loop.

use std::collections::VecDeque;
use std::time::Duration;

use ironlance_config::alerting::LoopRule;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Phase;
use ironlance_core::process::state::ProcessState;
use serde::{Deserialize, Serialize};

use super::clock::WatchTime;
use super::effect::CloseReason;
use super::incident::IncidentInput;
use super::input::ProcessReport;

/// The most ends that are remembered of a program, and the highest number that `loop=` can ask for.
const MAX_ENDS: usize = 1000;
/// A restart of ours that has not led to a start by then is none any more.
const OUR_RESTART: Duration = Duration::from_secs(300);

/// What is remembered of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramMemory {
    pub(super) program: Namespec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<ProcessState>,
    /// When it was started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<WatchTime>,
    /// Since when it runs (milliseconds since 1970), and its process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) running: Option<(u64, Option<i32>)>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    ends: VecDeque<WatchTime>,
    /// A stop that we asked for, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    our_stop: Option<(OurStop, WatchTime)>,
    /// When we restarted it.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    restarts: VecDeque<WatchTime>,
}

/// Why we asked for a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OurStop {
    /// To start it again.
    Restart,
    /// For good.
    Stop,
}

impl ProgramMemory {
    pub(super) const fn new(program: Namespec) -> Self {
        Self {
            program,
            state: None,
            started: None,
            running: None,
            ends: VecDeque::new(),
            our_stop: None,
            restarts: VecDeque::new(),
        }
    }

    /// Takes an event in, which happened at `at`; gives what it means for `down`.
    pub(super) fn event(
        &mut self,
        report: &ProcessReport,
        at: WatchTime,
        rule: LoopRule,
    ) -> Option<IncidentInput> {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        let before = self.state.replace(report.state);
        self.running = (report.state == Running).then_some((report.at, report.pid));
        match report.state {
            Starting | Running => {
                if report.state == Starting || before != Some(Starting) || self.started.is_none() {
                    self.started = Some(at);
                }
                if report.state == Running || matches!(self.our_stop, Some((OurStop::Stop, _))) {
                    self.our_stop = None;
                }
                (report.state == Running).then_some(IncidentInput::Good)
            }
            Exited | Backoff => {
                let is_expected = report.state == Exited && report.expected;
                let is_counted = !is_expected || report.restarts;
                let is_loop = is_counted && self.count_end(at, rule);
                let phase = if report.state == Backoff { Phase::Backoff } else { Phase::Crash };
                match is_loop {
                    true => Some(IncidentInput::Bad(Phase::Loop)),
                    false => (!is_expected).then_some(IncidentInput::Bad(phase)),
                }
            }
            Fatal | Unknown => {
                self.our_stop = None;
                Some(IncidentInput::Bad(Phase::Fatal))
            }
            Stopping | Stopped => match self.our_stop(at) {
                None => Some(IncidentInput::Gone(CloseReason::Operator)),
                Some(OurStop::Restart) if report.state == Stopped && self.count_end(at, rule) => {
                    Some(IncidentInput::Bad(Phase::Loop))
                }
                Some(_) => None,
            },
        }
    }

    /// A stop of ours that is under way.
    pub(super) fn our_stop(&self, at: WatchTime) -> Option<OurStop> {
        let (stop, since) = self.our_stop?;
        (stop == OurStop::Stop || at.since(since) < OUR_RESTART).then_some(stop)
    }

    /// We ask for a stop.
    pub(super) const fn stopping(&mut self, stop: OurStop, now: WatchTime) {
        self.our_stop = Some((stop, now));
    }

    /// The stop that we asked for does not come.
    pub(super) const fn not_stopping(&mut self) {
        self.our_stop = None;
    }

    /// Whether we may restart it: less than `most` times within `within`. Counts it where we may.
    pub(super) fn may_restart(&mut self, most: u32, within: Duration, now: WatchTime) -> bool {
        while self.restarts.front().is_some_and(|at| now.since(*at) >= within) {
            self.restarts.pop_front();
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(MAX_ENDS);
        let may = self.restarts.len() < most;
        if may {
            self.restarts.push_back(now);
        }
        may
    }

    /// The number of ends within the time of a rule.
    pub(super) fn ends_within(&self, window: Duration, now: WatchTime) -> u32 {
        let count = self.ends.iter().filter(|end| now.since(**end) < window).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Forgets the ends: it has been well for long enough.
    pub(super) fn forget_ends(&mut self) {
        self.ends.clear();
    }

    /// Forgets what a supervisor said that is gone.
    pub(super) const fn supervisor_started(&mut self) {
        self.state = None;
        self.started = None;
        self.running = None;
        self.our_stop = None;
    }

    /// Counts an end; gives whether it is a crash loop.
    fn count_end(&mut self, at: WatchTime, rule: LoopRule) -> bool {
        let most = usize::try_from(rule.count).unwrap_or(usize::MAX).clamp(1, MAX_ENDS);
        self.ends.retain(|end| at.since(*end) < rule.window);
        self.ends.push_back(at);
        while self.ends.len() > most {
            self.ends.pop_front();
        }
        self.ends.len() >= most
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: LoopRule = LoopRule { count: 5, window: Duration::from_secs(600) };

    fn at(second: u64) -> WatchTime {
        WatchTime(1_000_000 + second * 1000)
    }

    fn report(state: ProcessState) -> ProcessReport {
        let program = Namespec::new("shop", "web");
        ProcessReport {
            program,
            at: 0,
            state,
            expected: false,
            restarts: false,
            pid: None,
            facts: vec![],
            tail: None,
        }
    }

    #[test]
    fn every_event_means_what_the_table_says() {
        use ProcessState::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        let rows = [
            (Exited, Some(IncidentInput::Bad(Phase::Crash))),
            (Backoff, Some(IncidentInput::Bad(Phase::Backoff))),
            (Fatal, Some(IncidentInput::Bad(Phase::Fatal))),
            (Unknown, Some(IncidentInput::Bad(Phase::Fatal))),
            (Running, Some(IncidentInput::Good)),
            (Starting, None),
            (Stopping, Some(IncidentInput::Gone(CloseReason::Operator))),
            (Stopped, Some(IncidentInput::Gone(CloseReason::Operator))),
        ];
        for (state, input) in rows {
            let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
            assert_eq!(memory.event(&report(state), at(0), RULE), input, "{state}");
        }
        let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
        let expected = ProcessReport { expected: true, ..report(Exited) };
        assert_eq!(memory.event(&expected, at(0), RULE), None);
    }

    #[test]
    fn the_fifth_end_within_the_window_is_a_loop_whatever_ended_it() {
        let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
        let exited = report(ProcessState::Exited);
        let expected = ProcessReport { expected: true, restarts: true, ..exited.clone() };
        let once = ProcessReport { expected: true, ..exited.clone() };
        assert_eq!(memory.event(&exited, at(0), RULE), Some(IncidentInput::Bad(Phase::Crash)));
        assert_eq!(memory.event(&expected, at(100), RULE), None);
        assert_eq!(memory.event(&once, at(150), RULE), None);
        assert_eq!(
            memory.event(&report(ProcessState::Backoff), at(200), RULE),
            Some(IncidentInput::Bad(Phase::Backoff))
        );
        memory.stopping(OurStop::Restart, at(300));
        assert_eq!(memory.event(&report(ProcessState::Stopping), at(300), RULE), None);
        assert_eq!(memory.event(&report(ProcessState::Stopped), at(301), RULE), None);
        let mut later = memory.clone();
        assert_eq!(memory.event(&exited, at(599), RULE), Some(IncidentInput::Bad(Phase::Loop)));
        assert_eq!(later.event(&exited, at(600), RULE), Some(IncidentInput::Bad(Phase::Crash)));
    }

    #[test]
    fn a_stop_is_ours_until_the_program_runs_again() {
        let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
        memory.stopping(OurStop::Restart, at(0));
        assert_eq!(memory.event(&report(ProcessState::Stopping), at(1), RULE), None);
        assert_eq!(memory.event(&report(ProcessState::Starting), at(2), RULE), None);
        assert_eq!(memory.event(&report(ProcessState::Running), at(3), RULE), Some(IncidentInput::Good));
        let gone = Some(IncidentInput::Gone(CloseReason::Operator));
        assert_eq!(memory.event(&report(ProcessState::Stopping), at(4), RULE), gone);
        memory.stopping(OurStop::Restart, at(10));
        assert_eq!(memory.event(&report(ProcessState::Stopping), at(310), RULE), gone);
    }

    proptest! {
        #[test]
        fn an_end_is_a_loop_exactly_where_it_is_the_last_of_enough_within_the_window(
            pauses in proptest::collection::vec(0_u64..400, 1..60),
            count in 1_u32..8,
        ) {
            let rule = LoopRule { count, window: Duration::from_secs(600) };
            let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
            let (mut second, mut ends) = (0, Vec::new());
            for pause in pauses {
                second += pause;
                ends.push(second);
                let lately = ends.iter().filter(|end| second - **end < 600).count();
                let phase = if lately >= usize::try_from(count).unwrap() { Phase::Loop } else { Phase::Crash };
                let input = memory.event(&report(ProcessState::Exited), at(second), rule);
                prop_assert_eq!(input, Some(IncidentInput::Bad(phase)));
                prop_assert!(memory.ends.len() <= 8);
            }
        }
    }

    #[test]
    fn restarts_have_a_budget() {
        let mut memory = ProgramMemory::new(Namespec::new("shop", "web"));
        let mut may = |second| memory.may_restart(3, Duration::from_secs(600), at(second));
        assert!(may(0) && may(10) && may(20) && !may(599) && may(600) && !may(601));
    }
}
