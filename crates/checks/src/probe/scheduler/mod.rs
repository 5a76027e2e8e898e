//! When each check is made: [`Scheduler`], a pure machine on a monotonic clock. The probe's loop carries out its effects.
//!
//! ```text
//!            running                  due
//!    idle ─────────────▶ waiting ─────────────▶ in flight ──┐ overdue: reported,
//!      ▲                    ▲                     │    ▲    │ not started again
//!      │                    └──────finished───────┘    └────┘
//!      └── not running ◀── waiting, in flight
//! ```
//!
//! | state | input | next | effect |
//! |---|---|---|---|
//! | idle | running | waiting, due after the grace and the check's offset | |
//! | waiting | due | in flight | start |
//! | waiting | beat after silence | waiting, due now | |
//! | in flight | finished by its own run | waiting, due at the next time of its grid | report |
//! | in flight | finished by an earlier run | the same | |
//! | in flight | overdue | in flight | report that it cannot be made |
//! | waiting | running as another process | waiting, as from idle | |
//! | in flight | running as another process | waiting, as from idle | cancel |
//! | waiting | not running, or no longer configured | idle, or gone | |
//! | in flight | not running, or no longer configured | idle, or gone | cancel |
//!
//! A check never overlaps itself. Health checks of the same period are spread over it; limits are measured together, as
//! one walk of /proc serves all.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;

use crate::probe::judge::{Judge, RunOutcome};
use crate::probe::protocol::{CheckKey, CheckSpec, ProbeResult, ProbeTarget};

/// A run that takes this much longer than its time limit hangs in the kernel.
const OVERDUE: Duration = Duration::from_secs(2);
/// How often a result is reported that says nothing new.
const RARELY: Duration = Duration::from_secs(300);
/// A check that could not be made this number of times in a row is reported as such.
const UNABLE: u32 = 3;
/// How often a silent program is looked at, at most and at least.
const SILENT_LOOK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What the loop has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeEffect {
    /// Start a run; its end is given to [`Scheduler::finished`].
    Start(CheckRun),
    /// End a run; nobody waits for it.
    Cancel(u64),
    /// Report a result.
    Report {
        /// Of which check.
        key: CheckKey,
        /// When the run began.
        started: Duration,
        /// The result.
        result: ProbeResult,
    },
}

/// A run of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    /// Unique.
    pub token: u64,
    /// The check.
    pub spec: Arc<CheckSpec>,
    /// The process.
    pub pid: i32,
    /// The files of its output.
    pub logs: Arc<[PathBuf]>,
    /// The time since its last beat.
    pub beat_age: Option<Duration>,
}

/// A program that runs.
#[derive(Clone, Debug)]
struct RunningProgram {
    pid: i32,
    since: Duration,
    /// Since when its beats are heard.
    heard_since: Duration,
    logs: Arc<[PathBuf]>,
    last_beat: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckState {
    Idle,
    Waiting { due: Duration },
    InFlight { token: u64, due: Duration, started: Duration, overdue: Duration },
}

#[derive(Debug)]
struct ScheduledCheck {
    spec: Arc<CheckSpec>,
    /// Its place within its period.
    offset: Duration,
    state: CheckState,
    judge: Judge,
    /// Good results in a row, and runs in a row that could not be made.
    good: u32,
    unable: u32,
    is_bad: bool,
    /// When a result was last reported.
    reported: Option<Duration>,
}

/// The checks and when each is due.
#[derive(Debug, Default)]
pub struct Scheduler {
    checks: BTreeMap<CheckKey, ScheduledCheck>,
    programs: BTreeMap<Namespec, RunningProgram>,
    in_flight: BTreeMap<u64, CheckKey>,
    last_token: u64,
}

impl Scheduler {
    /// Takes the checks of a configuration; equal ones go on undisturbed.
    pub fn configure(&mut self, specs: Vec<CheckSpec>, now: Duration) -> Vec<ProbeEffect> {
        let mut before = std::mem::take(&mut self.checks);
        for (index, spec) in specs.into_iter().enumerate() {
            let same = before.get(&spec.key).is_some_and(|check| *check.spec == spec);
            let key = spec.key.clone();
            let check = if same { before.remove(&key) } else { None };
            let check = check.unwrap_or_else(|| {
                let program = self.programs.get(&key.program);
                let offset = offset(index, &spec);
                ScheduledCheck::new(Arc::new(spec), offset, program, now)
            });
            self.checks.insert(key, check);
        }
        before.into_values().filter_map(|check| self.cancelled(check.state)).collect()
    }

    /// A program runs since `since`.
    pub fn running(
        &mut self,
        program: Namespec,
        pid: i32,
        since: Duration,
        logs: Vec<PathBuf>,
        now: Duration,
    ) -> Vec<ProbeEffect> {
        let since = since.min(now);
        if let Some(known) = self.programs.get_mut(&program)
            && known.pid == pid
            && known.since.abs_diff(since) < Duration::from_secs(1)
        {
            known.logs = logs.into();
            return Vec::new();
        }
        let effects = self.not_running(&program);
        let running = RunningProgram { pid, since, heard_since: now, logs: logs.into(), last_beat: None };
        for check in self.of_program(&program) {
            *check = ScheduledCheck::new(Arc::clone(&check.spec), check.offset, Some(&running), now);
        }
        self.programs.insert(program, running);
        effects
    }

    /// A program does not run.
    pub fn not_running(&mut self, program: &Namespec) -> Vec<ProbeEffect> {
        self.programs.remove(program);
        let states: Vec<CheckState> = self
            .of_program(program)
            .map(|check| std::mem::replace(&mut check.state, CheckState::Idle))
            .collect();
        states.into_iter().filter_map(|state| self.cancelled(state)).collect()
    }

    /// A program gave a sign of life.
    pub fn beat(&mut self, program: &Namespec, at: Duration, now: Duration) {
        let Some(running) = self.programs.get_mut(program) else { return };
        running.last_beat = running.last_beat.max(Some(at.min(now)));
        for check in self.of_program(program) {
            if check.spec.target == ProbeTarget::Beats
                && check.is_bad
                && let CheckState::Waiting { due } = &mut check.state
            {
                *due = now;
            }
        }
    }

    /// Starts what is due.
    pub fn wake(&mut self, now: Duration) -> Vec<ProbeEffect> {
        let mut effects = Vec::new();
        for (key, check) in &mut self.checks {
            match &mut check.state {
                CheckState::Waiting { due } if *due <= now => {
                    let Some(program) = self.programs.get(&key.program) else { continue };
                    self.last_token += 1;
                    let token = self.last_token;
                    let overdue = now + check.spec.timeout + OVERDUE;
                    check.state = CheckState::InFlight { token, due: *due, started: now, overdue };
                    self.in_flight.insert(token, key.clone());
                    effects.push(ProbeEffect::Start(CheckRun {
                        token,
                        spec: Arc::clone(&check.spec),
                        pid: program.pid,
                        logs: Arc::clone(&program.logs),
                        beat_age: program.last_beat.map(|beat| now.saturating_sub(beat)),
                    }));
                }
                CheckState::InFlight { overdue, started, .. } if *overdue <= now => {
                    let started = *started;
                    *overdue = now + check.spec.every.clamp(SILENT_LOOK.0, RARELY);
                    let reason =
                        format!("it hangs since {} s in a call of the kernel", (now - started).as_secs());
                    effects.extend(check.report(ProbeResult::Unable(reason), started, now));
                }
                CheckState::Idle | CheckState::Waiting { .. } | CheckState::InFlight { .. } => {}
            }
        }
        effects
    }

    /// A run has ended.
    pub fn finished(&mut self, token: u64, outcome: RunOutcome, now: Duration) -> Option<ProbeEffect> {
        let key = self.in_flight.remove(&token)?;
        let check = self.checks.get_mut(&key)?;
        let program = self.programs.get(&key.program)?;
        let CheckState::InFlight { token: own, due, started, .. } = check.state else { return None };
        if own != token {
            return None;
        }
        let since = match check.spec.target {
            ProbeTarget::Beats => program.heard_since.max(program.since),
            _ => program.since,
        };
        let judgement = check.judge.judge(&check.spec, outcome, now.saturating_sub(since), now);
        check.is_bad = matches!(judgement.result, Some(ProbeResult::Bad(_)));
        let due = if check.spec.key.family == Family::Heartbeat {
            let (least, most) = SILENT_LOOK;
            now + judgement.silent_in.unwrap_or(check.spec.every.clamp(least, most))
        } else {
            next_on_grid(due, check.spec.every, now)
        };
        check.state = CheckState::Waiting { due };
        check.report(judgement.result?, started, now)
    }

    /// When [`Scheduler::wake`] has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        let deadlines = self.checks.values().filter_map(|check| match check.state {
            CheckState::Idle => None,
            CheckState::Waiting { due } => Some(due),
            CheckState::InFlight { overdue, .. } => Some(overdue),
        });
        deadlines.min()
    }

    fn of_program(&mut self, program: &Namespec) -> impl Iterator<Item = &mut ScheduledCheck> {
        let checks = self.checks.iter_mut().filter(move |(key, _)| key.program == *program);
        checks.map(|(_, check)| check)
    }

    fn cancelled(&mut self, state: CheckState) -> Option<ProbeEffect> {
        let CheckState::InFlight { token, .. } = state else { return None };
        self.in_flight.remove(&token);
        Some(ProbeEffect::Cancel(token))
    }
}

impl ScheduledCheck {
    /// A check of which nothing is known.
    fn new(spec: Arc<CheckSpec>, offset: Duration, program: Option<&RunningProgram>, now: Duration) -> Self {
        let state = program.map_or(CheckState::Idle, |program| CheckState::Waiting {
            due: first_due(&spec, offset, program, now),
        });
        Self {
            spec,
            offset,
            state,
            judge: Judge::default(),
            good: 0,
            unable: 0,
            is_bad: false,
            reported: None,
        }
    }

    /// The report of a result, unless it says nothing new.
    fn report(&mut self, result: ProbeResult, started: Duration, now: Duration) -> Option<ProbeEffect> {
        let is_recent = self.reported.is_some_and(|reported| now.saturating_sub(reported) < RARELY);
        let is_silent = match &result {
            ProbeResult::Good => {
                self.unable = 0;
                self.good = self.good.saturating_add(1);
                self.good > self.spec.settled.saturating_mul(2) && is_recent
            }
            ProbeResult::Bad(_) => {
                (self.good, self.unable) = (0, 0);
                false
            }
            ProbeResult::Unable(_) => {
                self.good = 0;
                self.unable = self.unable.saturating_add(1);
                self.unable < UNABLE || (self.unable > UNABLE && is_recent)
            }
        };
        if is_silent {
            return None;
        }
        self.reported = Some(now);
        Some(ProbeEffect::Report { key: self.spec.key.clone(), started, result })
    }
}

/// The place of a check within its period: health checks spread by the golden ratio, all others together.
fn offset(index: usize, spec: &CheckSpec) -> Duration {
    if spec.key.family != Family::Health {
        return Duration::ZERO;
    }
    let fraction = u32::try_from(index % (1 << 16)).unwrap_or_default().wrapping_mul(0x9E37_79B1);
    spec.every.mul_f64(f64::from(fraction) / f64::from(u32::MAX)).min(spec.every)
}

fn first_due(spec: &CheckSpec, offset: Duration, program: &RunningProgram, now: Duration) -> Duration {
    let after = now.max(program.since + spec.grace);
    match (spec.key.family, &spec.target) {
        (_, ProbeTarget::Beats) => program.heard_since + spec.every,
        (Family::Heartbeat, _) => now.max(program.since + spec.every),
        (Family::Health, _) => after + offset,
        _ => next_on_grid(Duration::ZERO, spec.every, after),
    }
}

/// The next time after `now` that is a whole number of periods away from `anchor`.
fn next_on_grid(anchor: Duration, every: Duration, now: Duration) -> Duration {
    let every_nanos = every.as_nanos().max(1);
    let into = now.saturating_sub(anchor).as_nanos() % every_nanos;
    now + Duration::from_nanos(u64::try_from(every_nanos - into).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
