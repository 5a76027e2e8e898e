//! From inputs to changes of incidents: part of [`Watch`].

use std::collections::BTreeSet;
use std::rc::Rc;

use ironlance_alert::card::{Fact, ItemStatus};
use ironlance_config::alerting::ProgramAlerting;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase};
use ironlance_core::process::name::GroupName;
use ironlance_core::process::state::ProcessState;

use super::announce::MAX_INCIDENTS;
use super::clock::{Moment, seconds};
use super::down::ProgramMemory;
use super::effect::{CloseReason, Effect, Hold, Verdict};
use super::incident::{IncidentInput, IncidentState};
use super::input::{EarlierRun, Input, ListenerTrouble, ProcessReport, ReceiverBacklog};
use super::notice::{decided, grouping};
use super::reading::Reading;
use super::routing;
use super::subject::{IncidentKey, Subject};
use super::watch::Watch;

/// A message that fails so often is an incident of its receiver.
const FAILED_ATTEMPTS: u32 = 2;

/// The pools in which our supervisor runs `watch`; the second where the configuration has a group of the first name.
const HIDDEN_POOLS: [&str; 2] = ["watch", "ironlance-watch"];

impl Watch {
    /// Takes an input in.
    pub(super) fn fold(&mut self, input: Input, now: &Moment, effects: &mut Vec<Effect>) {
        match input {
            Input::Wake => {}
            Input::Process(report) => self.process(report, true, now, effects),
            Input::GroupRemoved(group) => {
                self.remove_programs(|program| program.group == group, now, effects);
            }
            Input::Stopping => self.supervisor_stops(now, effects),
            Input::Started { previous } => self.supervisor_started(previous, now, effects),
            Input::Pool { pool, trouble } => self.pool(&pool, &trouble, now, effects),
            Input::Check(reading) => self.check(reading, now, effects),
            Input::Operator(command) => self.operator(command, now, effects),
            Input::Reconciled(reports) => self.reconcile(reports, now, effects),
            Input::Outbox(backlogs) => self.outbox(backlogs, now, effects),
            Input::Acted { program, outcome } => {
                if let Err(reason) = outcome {
                    self.not_acted(&program, &reason);
                }
            }
            Input::OwnTrouble(trouble) => {
                let key = IncidentKey { subject: Subject::Watch, family: Family::Delivery };
                match trouble {
                    Some(reason) => {
                        let facts = (vec![Fact::Finding(reason)], None);
                        self.bad(&key, Phase::Bad, now.wall_millis(), facts, now, effects);
                    }
                    None => self.transition(&key, IncidentInput::Good, now, effects),
                }
            }
        }
    }

    /// A process is in a state. It is no news where it may have been so before.
    fn process(&mut self, report: ProcessReport, is_news: bool, now: &Moment, effects: &mut Vec<Effect>) {
        let program = report.program.clone();
        if self.facts.programs.len() >= MAX_INCIDENTS && !self.facts.programs.contains_key(&program) {
            return;
        }
        let at = self.facts.clock.of_wall(report.at);
        let rule = self.program(&program).map_or(self.facts.config.watch.crash_loop, |own| own.crash_loop);
        let new = || ProgramMemory::new(program.clone());
        let memory = self.facts.programs.entry(program.clone()).or_insert_with(new);
        let input = memory.event(&report, at, rule);
        let is_ours = memory.our_stop(at).is_some();
        if matches!(report.state, ProcessState::Starting) {
            // A supervisor that stops starts nothing.
            self.facts.is_stopping = false;
            for reading in self.readings_of(&program) {
                reading.program_started();
            }
        }
        if is_news {
            self.tell_line(&report, is_ours, now, effects);
        }
        let subject = Subject::Program(program.clone());
        let key = IncidentKey { subject: subject.clone(), family: Family::Down };
        match input {
            Some(IncidentInput::Bad(Phase::Backoff))
                if !routing::is_wanted(&self.facts.config, &subject, AlertCause::Backoff)
                    && !self.is_open(&key) => {}
            Some(IncidentInput::Bad(phase)) => {
                self.bad(&key, phase, report.at, (report.facts, report.tail), now, effects);
            }
            Some(IncidentInput::Gone(reason)) => {
                self.gone(|key| key.subject.program() == Some(&program), reason, now, effects);
                self.facts.readings.retain(|(owner, _, _), _| *owner != program);
            }
            Some(input) => {
                self.transition(&key, input, now, effects);
                self.pool_runs(&program.group, now, effects);
            }
            None => {}
        }
    }

    /// Tells those who want to know of starts, stops and expected ends.
    fn tell_line(&mut self, report: &ProcessReport, is_ours: bool, now: &Moment, effects: &mut Vec<Effect>) {
        let (cause, status) = match report.state {
            ProcessState::Running => (AlertCause::Started, ItemStatus::Started),
            ProcessState::Stopped if !is_ours => (AlertCause::Stopped, ItemStatus::Stopped),
            ProcessState::Exited if report.expected => (AlertCause::Expected, ItemStatus::Finished),
            _ => return,
        };
        let key = IncidentKey { subject: Subject::Program(report.program.clone()), family: Family::Down };
        let time = self.facts.clock.time();
        let config = Rc::clone(&self.facts.config);
        for receiver in &config.receivers {
            let (severity, _) = routing::severity(&config, &key.subject, cause, true);
            if routing::route(&config, receiver, &key.subject, cause, severity).refusal.is_some() {
                continue;
            }
            let situation = self.facts.situation(now);
            let hold = situation.hold(receiver, &key, cause, severity).map(|(hold, _)| hold);
            let mut facts = report.facts.clone();
            facts.extend(report.pid.filter(|_| cause == AlertCause::Started).map(Fact::Pid));
            let line = situation.line(&report.program, report.at, status, facts);
            match hold {
                None => self.bucket_of(receiver, &key).put_aside(line, grouping(receiver), time),
                Some(Hold::Quiet { .. }) => self.bucket_of(receiver, &key).keep_aside(line),
                Some(hold) => {
                    let what = Verdict::Dropped(hold);
                    effects.push(decided(&situation, &key, 0, Some(&receiver.name), what));
                }
            }
        }
    }

    /// Ends the incidents of what is gone.
    fn gone(
        &mut self,
        is_gone: impl Fn(&IncidentKey) -> bool,
        reason: CloseReason,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        for key in self.facts.incidents.keys().filter(|key| is_gone(key)).cloned().collect::<Vec<_>>() {
            self.transition(&key, IncidentInput::Gone(reason), now, effects);
        }
    }

    fn remove_programs(
        &mut self,
        is_removed: impl Fn(&Namespec) -> bool,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let of_removed = |key: &IncidentKey| key.subject.program().is_some_and(&is_removed);
        self.gone(of_removed, CloseReason::Removed, now, effects);
        self.facts.incidents.retain(|key, _| !of_removed(key));
        self.facts.programs.retain(|program, _| !is_removed(program));
        self.facts.readings.retain(|(program, _, _), _| !is_removed(program));
    }

    fn supervisor_stops(&mut self, now: &Moment, effects: &mut Vec<Effect>) {
        self.facts.is_stopping = true;
        self.gone(|key| key.subject != Subject::Watch, CloseReason::Shutdown, now, effects);
        self.facts.readings.clear();
    }

    fn supervisor_started(&mut self, previous: EarlierRun, now: &Moment, effects: &mut Vec<Effect>) {
        self.facts.is_stopping = false;
        for memory in self.facts.programs.values_mut() {
            memory.supervisor_started();
        }
        for reading in self.facts.readings.values_mut() {
            reading.program_started();
        }
        if let EarlierRun::Killed { last_seen, at } = previous {
            let key = IncidentKey { subject: Subject::Supervisor, family: Family::Supervisor };
            let facts = vec![Fact::RunningSince { at: seconds(at), pid: None }];
            self.bad(&key, Phase::Bad, last_seen, (facts, None), now, effects);
            self.transition(&key, IncidentInput::Good, now, effects);
        }
    }

    fn pool(&mut self, pool: &GroupName, trouble: &ListenerTrouble, now: &Moment, effects: &mut Vec<Effect>) {
        let key = pool_key(pool);
        let finding = match trouble {
            ListenerTrouble::Well => return self.transition(&key, IncidentInput::Good, now, effects),
            ListenerTrouble::Overflow { lost } => format!("its buffer was full: {lost} events lost"),
            ListenerTrouble::Broken(words) => words.clone(),
        };
        let facts = (vec![Fact::Finding(finding)], None);
        self.bad(&key, Phase::Bad, now.wall_millis(), facts, now, effects);
        if matches!(trouble, ListenerTrouble::Overflow { .. }) {
            self.transition(&key, IncidentInput::Good, now, effects);
        }
    }

    /// A process of a group runs: if it is a listener's, its pool works again.
    fn pool_runs(&mut self, group: &GroupName, now: &Moment, effects: &mut Vec<Effect>) {
        self.transition(&pool_key(group), IncidentInput::Good, now, effects);
    }

    fn reconcile(&mut self, reports: Vec<ProcessReport>, now: &Moment, effects: &mut Vec<Effect>) {
        // One that stops answers nothing.
        self.facts.is_stopping = false;
        let present = reports.iter().map(|report| report.program.clone()).collect::<BTreeSet<_>>();
        // A listener's pool is a subject by the name of its group.
        let groups = present.iter().map(|program| program.group.clone()).collect::<BTreeSet<_>>();
        let is_pool =
            |program: &Namespec| groups.contains(&program.group) && *program == pool(&program.group);
        let is_kept = |program: &Namespec| is_pool(program) || is_hidden(program);
        self.remove_programs(|program| !present.contains(program) && !is_kept(program), now, effects);
        // It asks, so it runs, also where nobody has recorded that.
        for program in HIDDEN_POOLS.map(|name| Namespec::new(name, name)) {
            if !present.contains(&program) {
                let key = IncidentKey { subject: Subject::Program(program), family: Family::Down };
                self.transition(&key, IncidentInput::Good, now, effects);
            }
        }
        for report in reports {
            let key = IncidentKey { subject: Subject::Program(report.program.clone()), family: Family::Down };
            let before = self.facts.programs.get(&report.program).and_then(|memory| memory.state);
            let is_firing = self.is_firing(&key);
            let is_missed = match report.state {
                ProcessState::Fatal | ProcessState::Unknown => {
                    before != Some(report.state) || !self.is_open(&key)
                }
                ProcessState::Running => before != Some(report.state) || is_firing,
                ProcessState::Exited => before.is_some_and(|before| before != report.state),
                ProcessState::Stopped => {
                    before.is_some_and(|before| before != report.state) || self.is_open(&key)
                }
                ProcessState::Starting | ProcessState::Backoff | ProcessState::Stopping => false,
            };
            if is_missed {
                self.process(report, before.is_some(), now, effects);
            } else if before != Some(report.state) {
                let new = || ProgramMemory::new(report.program.clone());
                let memory = self.facts.programs.entry(report.program.clone()).or_insert_with(new);
                memory.state = Some(report.state);
            }
        }
    }

    fn outbox(&mut self, backlogs: Vec<ReceiverBacklog>, now: &Moment, effects: &mut Vec<Effect>) {
        for memory in self.receivers.values_mut() {
            memory.waiting.clear();
            memory.last_error = None;
        }
        let mut failing = BTreeSet::new();
        for backlog in backlogs {
            let Some(memory) = self.receivers.get_mut(&backlog.receiver) else { continue };
            memory.waiting.extend(backlog.waiting.iter().map(|waiting| waiting.message));
            let errors = backlog.waiting.iter().filter(|waiting| waiting.attempts >= FAILED_ATTEMPTS);
            let mut errors = errors.map(|waiting| waiting.last_error.clone().unwrap_or_default());
            let failed = errors.next();
            let any = backlog.waiting.iter().find_map(|waiting| waiting.last_error.clone());
            memory.last_error = failed.clone().or(any);
            let is_failing = failed.is_some();
            let Some(reason) = failed.or(backlog.rejected) else { continue };
            let key = delivery_key(&backlog.receiver);
            if is_failing {
                failing.insert(backlog.receiver);
            }
            let facts = vec![Fact::Finding(reason)];
            if !is_failing || !self.is_firing(&key) {
                self.bad(&key, Phase::Bad, now.wall_millis(), (facts, None), now, effects);
            } else if let Some(record) = self.facts.incidents.get_mut(&key) {
                record.learn(facts, None);
            }
        }
        for name in self.receivers.keys().filter(|name| !failing.contains(*name)).cloned().collect::<Vec<_>>()
        {
            self.transition(&delivery_key(&name), IncidentInput::Good, now, effects);
        }
        self.paced_are_due();
    }

    /// What waits for the pace of its receiver is looked at again.
    pub(super) fn paced_are_due(&mut self) {
        let now = self.facts.clock.time();
        for bucket in self.buckets.values_mut().filter(|bucket| bucket.is_paced) {
            bucket.due = bucket.due.map(|due| due.min(now));
        }
    }

    pub(super) fn program(&self, program: &Namespec) -> Option<&ProgramAlerting> {
        self.facts.config.programs.get(program)
    }

    fn readings_of<'w>(&'w mut self, program: &'w Namespec) -> impl Iterator<Item = &'w mut Reading> {
        self.facts.readings.values_mut().filter(move |reading| reading.program == *program)
    }

    pub(super) fn is_firing(&self, key: &IncidentKey) -> bool {
        let record = self.facts.incidents.get(key);
        record.is_some_and(|record| {
            matches!(record.machine.state, IncidentState::Firing | IncidentState::Pending)
        })
    }

    fn is_open(&self, key: &IncidentKey) -> bool {
        self.facts.incidents.get(key).is_some_and(|record| record.machine.state != IncidentState::Idle)
    }
}

/// The subject of a listener's pool.
fn pool(group: &GroupName) -> Namespec {
    Namespec::new(group.0.clone(), group.0.clone())
}

/// Whether it is the process of `watch` in our supervisor, which is in no list of processes.
fn is_hidden(program: &Namespec) -> bool {
    program.group.0 == program.process.0 && HIDDEN_POOLS.contains(&program.group.0.as_str())
}

fn pool_key(group: &GroupName) -> IncidentKey {
    IncidentKey { subject: Subject::Program(pool(group)), family: Family::Listener }
}

fn delivery_key(receiver: &str) -> IncidentKey {
    IncidentKey { subject: Subject::Receiver(receiver.to_owned()), family: Family::Delivery }
}
