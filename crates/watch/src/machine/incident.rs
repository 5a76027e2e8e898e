//! One incident: [`IncidentMachine`], from the first bad input until it has been well for long enough.
//!
//! ```text
//!            Bad            hold over             Good
//!   idle ──────────▶ pending ───────▶ firing ◀──────────────▶ recovering ───────────▶ idle
//!    ▲                  │                │         Bad            │      recover over
//!    │    Good, Gone    │                │ Gone                   │ Gone
//!    └──────────────────┴────────────────┴────────────────────────┘
//! ```
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | idle | Bad(p) | pending, due after `hold`; at once firing where that is zero | `Open(p)` where firing |
//! | idle | Good, Gone, Ack | idle | |
//! | pending | Bad(p) | pending, the worse phase | |
//! | pending | due | firing | `Open(p)` |
//! | pending | Good, Gone | idle | |
//! | firing | Bad(p), worse | firing, not acknowledged any more | `Worse(p)` |
//! | firing | Bad(p), not worse | firing, counted | |
//! | firing | Good | recovering, due after `recover`; in a loop after the longer of that and its window | `Up` |
//! | firing, recovering | Gone | idle | `Closed(why)` |
//! | firing, recovering | Ack | the same, acknowledged | `Acked` |
//! | recovering | Bad(p), worse | firing | `Worse(p)` |
//! | recovering | Bad(p), the third time, a crash or a bad reading | firing, a loop or flapping | `Worse(p)` |
//! | recovering | Bad(p), otherwise | firing | `Again(p)` |
//! | recovering | due | idle | `Closed(Well)` |
//!
//! `recover` doubles, up to 15 minutes, where the last incident was over less than an hour ago.

use std::time::Duration;

use ironlance_core::alerting::incident::Phase;
use serde::{Deserialize, Serialize};

use super::clock::WatchTime;
use super::effect::CloseReason;
use super::view::Acknowledgement;

/// An incident that begins less than this after the last one takes longer to be over.
pub(super) const REOPEN: Duration = Duration::from_secs(3600);
/// The longest time that it must be well.
const MAX_RECOVER: Duration = Duration::from_secs(900);
/// This relapse makes a crash a loop, and a bad reading flapping.
const RELAPSES: u32 = 3;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IncidentState {
    /// There is none.
    #[default]
    Idle,
    /// It is bad, and not yet for long enough.
    Pending,
    /// It is bad.
    Firing,
    /// It is well, and not yet for long enough.
    Recovering,
}

/// What happens to an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IncidentInput {
    /// Something bad happened.
    Bad(Phase),
    /// It is well.
    Good,
    /// There is nothing any more that could be bad.
    Gone(CloseReason),
    /// Somebody acknowledges it.
    Ack(Acknowledgement),
    /// Somebody takes that back.
    Unack,
    /// Time has passed.
    Due,
}

/// What has changed for those who are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IncidentChange {
    /// It began.
    Open(Phase),
    /// It became worse.
    Worse(Phase),
    /// It is well at the moment.
    Up,
    /// It is bad again.
    Again(Phase),
    /// It is over.
    Closed(CloseReason),
    /// It was acknowledged.
    Acked,
    /// It is not acknowledged any more.
    Unacked,
}

/// The times of an incident, by its family and the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IncidentRules {
    /// For how long it must be bad.
    pub(super) hold: Duration,
    /// For how long it must be well.
    pub(super) recover: Duration,
    /// For how long it must be well in a loop.
    pub(super) window: Duration,
}

/// One incident after the other of one program and family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IncidentMachine {
    pub(super) state: IncidentState,
    /// The worst so far; of the last incident where it is idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) due: Option<WatchTime>,
    /// How long it must be well, in milliseconds, with the doubling.
    recover: u64,
    relapses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<WatchTime>,
    /// How often it was bad in this incident.
    pub(super) times: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ack: Option<Acknowledgement>,
}

impl IncidentMachine {
    /// The worst phase so far.
    pub(super) fn phase(&self) -> Phase {
        self.phase.unwrap_or(Phase::Backoff)
    }

    /// Whether people may know of it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.state, IncidentState::Firing | IncidentState::Recovering)
    }

    /// Whether it is acknowledged at this wall time.
    pub(super) fn is_acked(&self, wall: u64) -> bool {
        self.ack.as_ref().is_some_and(|ack| ack.until.is_none_or(|until| wall < until))
    }

    /// Takes an input in.
    pub(super) fn step(
        &mut self,
        input: IncidentInput,
        now: WatchTime,
        rules: &IncidentRules,
    ) -> Option<IncidentChange> {
        use IncidentState::{Firing, Idle, Pending, Recovering};
        match (self.state, input) {
            (Idle, IncidentInput::Bad(phase)) => self.begin(phase, now, rules),
            (Pending, IncidentInput::Bad(phase)) => {
                self.count();
                self.phase = Some(worse(self.phase(), phase));
                None
            }
            (Pending, IncidentInput::Due) if self.is_due(now) => Some(self.fire()),
            (Pending, IncidentInput::Good | IncidentInput::Gone(_)) => {
                self.state = Idle;
                self.due = None;
                None
            }
            (Firing, IncidentInput::Bad(phase)) => {
                self.count();
                self.worsen(phase)
            }
            (Firing, IncidentInput::Good) => {
                let recover = Duration::from_millis(self.recover);
                let time = if self.phase() == Phase::Loop { recover.max(rules.window) } else { recover };
                self.state = Recovering;
                self.due = Some(now.after(time));
                Some(IncidentChange::Up)
            }
            (Recovering, IncidentInput::Bad(phase)) => self.relapse(phase),
            (Recovering, IncidentInput::Due) if self.is_due(now) => {
                self.close(now);
                Some(IncidentChange::Closed(CloseReason::Well))
            }
            (Firing | Recovering, IncidentInput::Gone(reason)) => {
                self.close(now);
                Some(IncidentChange::Closed(reason))
            }
            (Firing | Recovering, IncidentInput::Ack(ack)) => {
                self.ack = Some(ack);
                Some(IncidentChange::Acked)
            }
            (Firing | Recovering, IncidentInput::Unack) => self.ack.take().map(|_| IncidentChange::Unacked),
            (Idle | Recovering, IncidentInput::Good)
            | (Idle, IncidentInput::Gone(_))
            | (Idle | Pending, IncidentInput::Ack(_) | IncidentInput::Unack)
            | (_, IncidentInput::Due) => None,
        }
    }

    fn begin(&mut self, phase: Phase, now: WatchTime, rules: &IncidentRules) -> Option<IncidentChange> {
        let is_soon = self.closed.is_some_and(|closed| now.since(closed) < REOPEN);
        let recover = if is_soon {
            Duration::from_millis(self.recover.saturating_mul(2)).min(MAX_RECOVER.max(rules.recover))
        } else {
            rules.recover
        };
        *self = Self {
            state: IncidentState::Pending,
            phase: Some(phase),
            due: Some(now.after(rules.hold)),
            recover: u64::try_from(recover.as_millis()).unwrap_or(u64::MAX),
            times: 1,
            closed: self.closed,
            ..Self::default()
        };
        rules.hold.is_zero().then(|| self.fire())
    }

    fn fire(&mut self) -> IncidentChange {
        self.state = IncidentState::Firing;
        self.due = None;
        IncidentChange::Open(self.phase())
    }

    fn relapse(&mut self, phase: Phase) -> Option<IncidentChange> {
        self.state = IncidentState::Firing;
        self.due = None;
        self.count();
        self.relapses = self.relapses.saturating_add(1);
        let is_single = |phase| matches!(phase, Phase::Crash | Phase::Bad);
        let phase = match phase {
            _ if self.relapses < RELAPSES || !is_single(self.phase()) => phase,
            Phase::Crash => Phase::Loop,
            Phase::Bad => Phase::Flapping,
            other => other,
        };
        self.worsen(phase).or(Some(IncidentChange::Again(self.phase())))
    }

    fn worsen(&mut self, phase: Phase) -> Option<IncidentChange> {
        (phase.rank() > self.phase().rank()).then(|| {
            self.phase = Some(phase);
            self.ack = None;
            IncidentChange::Worse(phase)
        })
    }

    fn close(&mut self, now: WatchTime) {
        self.state = IncidentState::Idle;
        self.due = None;
        self.closed = Some(now);
        self.ack = None;
    }

    const fn count(&mut self) {
        self.times = self.times.saturating_add(1);
    }

    fn is_due(&self, now: WatchTime) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

fn worse(one: Phase, other: Phase) -> Phase {
    if other.rank() > one.rank() { other } else { one }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: IncidentRules = IncidentRules {
        hold: Duration::ZERO,
        recover: Duration::from_secs(30),
        window: Duration::from_secs(600),
    };

    fn ack() -> IncidentInput {
        let (by, comment) = ("anna".to_owned(), String::new());
        IncidentInput::Ack(Acknowledgement { by, at: 0, until: None, comment })
    }

    /// Inputs with their seconds, and what the last of them gives.
    fn last(
        rules: &IncidentRules,
        inputs: &[(u64, IncidentInput)],
    ) -> (IncidentMachine, Option<IncidentChange>) {
        let mut machine = IncidentMachine::default();
        let mut change = None;
        for (second, input) in inputs {
            change = machine.step(input.clone(), WatchTime(10_000_000 + second * 1000), rules);
        }
        (machine, change)
    }

    #[test]
    fn every_row_of_the_table_is_as_it_stands() {
        use IncidentChange::{Acked, Again, Closed, Open, Up, Worse};
        use IncidentInput::{Bad, Due, Gone, Good};
        use IncidentState::{Firing, Idle, Pending, Recovering};
        use Phase::{Bad as BadReading, Crash, Fatal, Flapping, Loop};
        let held = IncidentRules { hold: Duration::from_secs(20), ..RULES };
        type Row<'r> = (&'r IncidentRules, &'r [(u64, IncidentInput)], IncidentState, Option<IncidentChange>);
        let rows: &[Row<'_>] = &[
            (&RULES, &[(0, Bad(Crash))], Firing, Some(Open(Crash))),
            (&held, &[(0, Bad(Crash))], Pending, None),
            (&RULES, &[(0, Good)], Idle, None),
            (&RULES, &[(0, Gone(CloseReason::Operator))], Idle, None),
            (&RULES, &[(0, ack())], Idle, None),
            (&held, &[(0, Bad(Crash)), (1, Bad(Fatal)), (20, Due)], Firing, Some(Open(Fatal))),
            (&held, &[(0, Bad(Crash)), (19, Due)], Pending, None),
            (&held, &[(0, Bad(Crash)), (1, Good)], Idle, None),
            (&held, &[(0, Bad(Crash)), (1, Gone(CloseReason::Removed))], Idle, None),
            (&RULES, &[(0, Bad(Crash)), (1, Bad(Fatal))], Firing, Some(Worse(Fatal))),
            (&RULES, &[(0, Bad(Fatal)), (1, Bad(Crash))], Firing, None),
            (&RULES, &[(0, Bad(Crash)), (1, Good)], Recovering, Some(Up)),
            (
                &RULES,
                &[(0, Bad(Crash)), (1, Gone(CloseReason::Operator))],
                Idle,
                Some(Closed(CloseReason::Operator)),
            ),
            (&RULES, &[(0, Bad(Crash)), (1, ack())], Firing, Some(Acked)),
            (&RULES, &[(0, Bad(Crash)), (1, Good), (2, Bad(Fatal))], Firing, Some(Worse(Fatal))),
            (&RULES, &[(0, Bad(Crash)), (1, Good), (2, Bad(Crash))], Firing, Some(Again(Crash))),
            (
                &RULES,
                &[
                    (0, Bad(Crash)),
                    (1, Good),
                    (2, Bad(Crash)),
                    (3, Good),
                    (4, Bad(Crash)),
                    (5, Good),
                    (6, Bad(Crash)),
                ],
                Firing,
                Some(Worse(Loop)),
            ),
            (
                &RULES,
                &[
                    (0, Bad(BadReading)),
                    (1, Good),
                    (2, Bad(BadReading)),
                    (3, Good),
                    (4, Bad(BadReading)),
                    (5, Good),
                    (6, Bad(BadReading)),
                ],
                Firing,
                Some(Worse(Flapping)),
            ),
            (&RULES, &[(0, Bad(Crash)), (1, Good), (30, Due)], Recovering, None),
            (&RULES, &[(0, Bad(Crash)), (1, Good), (31, Due)], Idle, Some(Closed(CloseReason::Well))),
            (&RULES, &[(0, Bad(Loop)), (1, Good), (600, Due)], Recovering, None),
            (&RULES, &[(0, Bad(Loop)), (1, Good), (601, Due)], Idle, Some(Closed(CloseReason::Well))),
            (
                &RULES,
                &[(0, Bad(Crash)), (1, Good), (2, Gone(CloseReason::Removed))],
                Idle,
                Some(Closed(CloseReason::Removed)),
            ),
        ];
        for (rules, inputs, state, change) in rows {
            let (machine, given) = last(rules, inputs);
            assert_eq!((machine.state, given), (*state, *change), "{inputs:?}");
        }
    }

    proptest! {
        #[test]
        fn changes_alternate_and_a_deadline_is_set_exactly_where_one_is_waited_for(
            inputs in proptest::collection::vec((0_u64..100, 0_u8..9), 1..80),
            hold in proptest::sample::select(vec![0, 20]),
        ) {
            let rules = IncidentRules { hold: Duration::from_secs(hold), ..RULES };
            let (mut machine, mut second, mut is_open, mut is_up) = (IncidentMachine::default(), 10_000, false, false);
            for (pause, input) in inputs {
                second += pause;
                let before = machine.clone();
                let input = match input {
                    0..3 => IncidentInput::Bad([Phase::Crash, Phase::Loop, Phase::Fatal][usize::from(input)]),
                    3 | 4 => IncidentInput::Good,
                    5 => IncidentInput::Gone(CloseReason::Operator),
                    6 => ack(),
                    7 => IncidentInput::Unack,
                    _ => IncidentInput::Due,
                };
                let is_bad = matches!(input, IncidentInput::Bad(_));
                match machine.step(input, WatchTime(second * 1000), &rules) {
                    Some(IncidentChange::Open(_)) => {
                        prop_assert!(!is_open);
                        (is_open, is_up) = (true, false);
                    }
                    Some(IncidentChange::Worse(phase)) => {
                        prop_assert!(is_open && phase.rank() > before.phase().rank());
                        prop_assert!(machine.ack.is_none());
                        is_up = false;
                    }
                    Some(IncidentChange::Up) => {
                        prop_assert!(is_open && !is_up);
                        is_up = true;
                    }
                    Some(IncidentChange::Again(phase)) => {
                        prop_assert!(is_open && is_up && phase == before.phase());
                        is_up = false;
                    }
                    Some(IncidentChange::Closed(reason)) => {
                        prop_assert!(is_open && (is_up || reason != CloseReason::Well));
                        is_open = false;
                    }
                    Some(IncidentChange::Acked | IncidentChange::Unacked) => prop_assert!(is_open),
                    None => {}
                }
                prop_assert_eq!(machine.is_open(), is_open);
                prop_assert!(!is_open || (machine.state == IncidentState::Recovering) == is_up);
                let waits = matches!(machine.state, IncidentState::Pending | IncidentState::Recovering);
                prop_assert_eq!(machine.due.is_some(), waits);
                prop_assert!(!is_bad || machine.state != IncidentState::Idle);
            }
        }
    }

    #[test]
    fn what_becomes_worse_is_not_acknowledged_any_more() {
        let (machine, _) = last(&RULES, &[(0, IncidentInput::Bad(Phase::Crash)), (1, ack())]);
        assert!(machine.is_acked(0));
        let (machine, _) = last(
            &RULES,
            &[(0, IncidentInput::Bad(Phase::Crash)), (1, ack()), (2, IncidentInput::Bad(Phase::Fatal))],
        );
        assert!(!machine.is_acked(0));
    }

    #[test]
    fn an_incident_soon_after_another_takes_twice_as_long_to_be_over_up_to_a_quarter_of_an_hour() {
        let mut machine = IncidentMachine::default();
        let mut second = 10_000;
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            machine.step(IncidentInput::Bad(Phase::Fatal), WatchTime(second * 1000), &RULES);
            machine.step(IncidentInput::Good, WatchTime(second * 1000), &RULES);
            second += wait;
            assert_eq!(machine.step(IncidentInput::Due, WatchTime(second * 1000 - 1), &RULES), None);
            assert!(machine.step(IncidentInput::Due, WatchTime(second * 1000), &RULES).is_some());
        }
        second += 3600;
        machine.step(IncidentInput::Bad(Phase::Fatal), WatchTime(second * 1000), &RULES);
        machine.step(IncidentInput::Good, WatchTime(second * 1000), &RULES);
        assert!(machine.step(IncidentInput::Due, WatchTime((second + 30) * 1000), &RULES).is_some());
    }
}
