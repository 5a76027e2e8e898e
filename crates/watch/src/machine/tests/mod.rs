//! Tests of all machines together.

use std::collections::BTreeMap;
use std::time::Duration;

use ironlance_config::alerting::{
    Action, AlertReceiver, Alerting, CheckTarget, GroupBy, HealthCheck, MailDestination, ProgramAlerting,
    SeverityOverride, ValueSource, WatchSettings,
};
use ironlance_core::alerting::incident::{AlertCause, Family, Severity};
use ironlance_core::process::state::ProcessState;
use ironlance_core::time::window::CivilMinute;
use ironlance_core::{Namespec, Selection};

use super::*;

mod acting;
mod holding;
mod properties;
mod routes;
mod scenarios;

/// A receiver with the defaults.
pub(crate) fn receiver(name: &str) -> AlertReceiver {
    use AlertCause::{
        Cpu, Crash, Delivery, Fatal, Heartbeat, Listener, Loop, Memory, Recovered, Supervisor, Unhealthy,
    };
    AlertReceiver {
        name: name.to_owned(),
        source: ValueSource { file: "supervisord.conf".to_owned(), line: 10 },
        key_sources: BTreeMap::new(),
        channels: vec![],
        mail: Some(MailDestination {
            to: vec!["anna@example.com".to_owned()],
            from: None,
            smtp: None,
            sendmail: None,
            require_tls: false,
            ca_file: None,
            password: None,
            is_sms: false,
        }),
        proxy: None,
        on: vec![
            Crash, Loop, Fatal, Unhealthy, Memory, Cpu, Heartbeat, Listener, Supervisor, Delivery, Recovered,
        ],
        programs: Selection::default(),
        severity: Severity::Info,
        group_by: vec![GroupBy::Receiver],
        group_wait: Duration::from_secs(10),
        group_interval: Duration::from_secs(60),
        repeat: Some(Duration::from_secs(14_400)),
        quiet: None,
        quiet_except: Severity::Critical,
        escalate: None,
        fallback: None,
        chinese: false,
        max_items: 20,
        log_lines: 20,
        labels: BTreeMap::new(),
        sms_max: None,
    }
}

/// Seconds since 1970 at which tests begin: a Monday, 00:00 UTC.
const START: u64 = 1_764_547_200;

/// The machines with a clock that jumps from deadline to deadline.
pub(super) struct Play {
    pub(super) watch: Watch,
    /// Milliseconds since the test began.
    pub(super) now: u64,
    /// Milliseconds by which the wall clock was set.
    pub(super) wall_offset: i64,
    /// What was decided, and when.
    pub(super) effects: Vec<(u64, Effect)>,
    /// Messages stay in the outbox.
    pub(super) is_stuck: bool,
    /// Restore from a snapshot after each step.
    pub(super) restarts: bool,
}

/// A configuration with these receivers, and programs of these names.
pub(super) fn config(receivers: Vec<AlertReceiver>, programs: &[&str]) -> Alerting {
    let programs = programs.iter().map(|name| (Namespec::new(*name, *name), program()));
    Alerting { receivers, programs: programs.collect(), ..Alerting::default() }
}

/// A program with the defaults.
pub(super) fn program() -> ProgramAlerting {
    let watch = WatchSettings::default();
    ProgramAlerting {
        key_sources: BTreeMap::new(),
        receivers: None,
        on: None,
        severity: SeverityOverride::default(),
        runbook: None,
        labels: BTreeMap::new(),
        crash_loop: watch.crash_loop,
        recover_after: watch.recover_after,
        startsecs: Duration::from_secs(1),
        checks: vec![],
        memory_limit: None,
        cpu_limit: None,
        heartbeat: None,
    }
}

/// A check that fails at once and is well at once.
pub(super) fn check() -> HealthCheck {
    HealthCheck {
        name: String::new(),
        target: CheckTarget::Tcp { host: "127.0.0.1".to_owned(), port: 80 },
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        fail: 1,
        of: 1,
        grace: Duration::ZERO,
        action: Action::Notify,
    }
}

impl Play {
    pub(super) fn new(config: Alerting) -> Self {
        let now = moment(0, 0);
        let watch = Watch::new(config, &now);
        Self { watch, now: 0, wall_offset: 0, effects: Vec::new(), is_stuck: false, restarts: false }
    }

    pub(super) fn moment(&self) -> Moment {
        moment(self.now, self.wall_offset)
    }

    /// Goes on to a time in milliseconds, from deadline to deadline.
    pub(super) fn go_to(&mut self, time: u64) {
        self.go_before(time + 1);
        self.now = self.now.max(time);
    }

    /// The same without the deadlines at that time itself: an input comes first.
    fn go_before(&mut self, time: u64) {
        let mut steps = 0;
        while let Some(deadline) = self.watch.next_deadline() {
            let deadline = u64::try_from(deadline.as_millis()).unwrap().saturating_sub(MONO);
            if deadline >= time {
                break;
            }
            steps += 1;
            assert!(steps < 100_000, "a deadline that does not pass: {deadline} at {}", self.now);
            self.now = self.now.max(deadline);
            self.step_now(Input::Wake);
        }
    }

    /// Goes on to a time and takes an input in.
    pub(super) fn step(&mut self, time: u64, input: Input) {
        self.go_before(time);
        self.now = self.now.max(time);
        self.step_now(input);
    }

    fn step_now(&mut self, input: Input) {
        let now = self.moment();
        let mut effects = self.watch.step(input, &now);
        if !self.is_stuck && effects.iter().any(|effect| matches!(effect, Effect::Notify(_))) {
            effects.extend(self.watch.step(Input::Outbox(vec![]), &now));
        }
        self.effects.extend(effects.into_iter().map(|effect| (self.now, effect)));
        if self.restarts {
            let snapshot = self.watch.to_snapshot();
            let text = serde_json::to_string(&snapshot).unwrap();
            let snapshot = serde_json::from_str(&text).unwrap();
            self.watch = Watch::from_snapshot(snapshot, Alerting::clone(&self.watch.facts.config), &now);
        }
    }

    /// A process enters a state.
    pub(super) fn state(&mut self, time: u64, program: &str, state: ProcessState) {
        let at = moment(self.now.max(time), self.wall_offset).wall_millis();
        self.step(time, Input::Process(report(program, at, state)));
    }

    /// A check has a result.
    pub(super) fn reading(&mut self, time: u64, program: &str, is_good: bool) {
        let result = if is_good { ReadingResult::Good } else { ReadingResult::Bad { facts: vec![] } };
        let at = moment(self.now.max(time), self.wall_offset).wall_millis();
        let (program, check) = (Namespec::new(program, program), String::new());
        self.step(time, Input::Check(CheckReading { program, family: Family::Health, check, at, result }));
    }

    /// The messages, and when they were made in seconds.
    pub(super) fn notices(&self) -> Vec<(u64, &Notice)> {
        let notices = self.effects.iter().filter_map(|(at, effect)| match effect {
            Effect::Notify(notice) => Some((at / 1000, notice)),
            _ => None,
        });
        notices.collect()
    }

    /// The messages in short: seconds, receiver, kind, and each item's program and status.
    pub(super) fn told(&self) -> Vec<String> {
        let line = |(at, notice): (u64, &Notice)| {
            let items = notice.items.iter().chain(&notice.asides);
            let items = items
                .map(|item| format!("{} {} {:?}", item.program, item.phase, item.status))
                .collect::<Vec<_>>();
            format!("{at} {} {:?}: {}", notice.receiver, notice.kind, items.join(", "))
        };
        self.notices().into_iter().map(line).collect()
    }
}

/// What the monotonic clock reads when a test begins, in milliseconds.
const MONO: u64 = 500_000;

pub(super) fn moment(now: u64, wall_offset: i64) -> Moment {
    let wall = (START * 1000 + now).saturating_add_signed(wall_offset);
    let minutes = (wall / 60_000 + 3 * 1440) % (7 * 1440); // 1970 began on a Thursday
    let weekday = u8::try_from(minutes / 1440).unwrap();
    let minute = u16::try_from(minutes % 1440).unwrap();
    Moment {
        mono: Duration::from_millis(MONO + now),
        wall: Duration::from_millis(wall),
        civil: CivilMinute { weekday, minute },
    }
}

pub(super) fn report(program: &str, at: u64, state: ProcessState) -> ProcessReport {
    ProcessReport {
        program: Namespec::new(program, program),
        at,
        state,
        expected: false,
        restarts: state == ProcessState::Exited,
        pid: None,
        facts: vec![],
        tail: None,
    }
}
