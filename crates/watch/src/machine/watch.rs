//! All machines together: [`Watch`], one step at a time.
//!
//! ```text
//!   Input ──fold──▶ incidents ──announce──▶ buckets ──flush──▶ Notify
//!                       ▲                      │ ▲
//!                       └─ due                 └─┘ handover
//! ```
//!
//! A step advances the clock, folds the input in, fires what is due, hands over, and makes the messages that are due. It is a
//! function of the state, the input and the time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::alerting::{AlertReceiver, Alerting};
use ironlance_core::Namespec;

use super::bucket::Bucket;
use super::clock::{Moment, WatchClock, WatchTime};
use super::down::ProgramMemory;
use super::effect::{Decision, Effect, Verdict};
use super::flush::{self, ReceiverMemory};
use super::handover;
use super::incident::{IncidentInput, REOPEN};
use super::input::Input;
use super::record::{IncidentRecord, ReadingMap, Situation};
use super::refresh::refresh;
use super::silence::{Silence, SilenceList};
use super::subject::IncidentKey;

/// What is not needed any more is looked for this often.
const TIDY: Duration = Duration::from_secs(60);

/// All machines together.
#[derive(Debug)]
pub struct Watch {
    pub(super) facts: WatchFacts,
    /// By receiver and group.
    pub(super) buckets: BTreeMap<(String, Vec<String>), Bucket>,
    pub(super) receivers: BTreeMap<String, ReceiverMemory>,
    pub(super) next_incident: u64,
    pub(super) next_message: u64,
    pub(super) next_silence: u64,
    /// What a restore has decided: given with the next step.
    pub(super) late: Vec<Effect>,
    /// When what is not needed any more was looked for.
    pub(super) trimmed: WatchTime,
}

/// What decisions look at; see [`Situation`].
#[derive(Debug)]
pub(super) struct WatchFacts {
    pub(super) config: Rc<Alerting>,
    pub(super) clock: WatchClock,
    pub(super) programs: BTreeMap<Namespec, ProgramMemory>,
    pub(super) incidents: BTreeMap<IncidentKey, IncidentRecord>,
    pub(super) readings: ReadingMap,
    pub(super) silences: SilenceList,
    pub(super) is_stopping: bool,
}

impl WatchFacts {
    /// What decisions look at.
    pub(super) fn situation<'a>(&'a self, now: &'a Moment) -> Situation<'a> {
        Situation {
            config: &self.config,
            programs: &self.programs,
            incidents: &self.incidents,
            readings: &self.readings,
            silences: &self.silences,
            is_stopping: self.is_stopping,
            clock: self.clock,
            now,
        }
    }
}

impl Watch {
    /// Machines that know of nothing.
    pub fn new(config: Alerting, now: &Moment) -> Self {
        let clock = WatchClock::new(now);
        let facts = WatchFacts {
            config: Rc::new(config),
            clock,
            programs: BTreeMap::new(),
            incidents: BTreeMap::new(),
            readings: BTreeMap::new(),
            silences: SilenceList::default(),
            is_stopping: false,
        };
        let mut watch = Self {
            facts,
            buckets: BTreeMap::new(),
            receivers: BTreeMap::new(),
            next_incident: 1,
            next_message: 1,
            next_silence: 1,
            late: Vec::new(),
            trimmed: clock.time(),
        };
        watch.add_receivers();
        watch
    }

    /// Takes an input in. `now.mono` never goes back.
    pub fn step(&mut self, input: Input, now: &Moment) -> Vec<Effect> {
        self.step_by(now, |watch, effects| watch.fold(input, now, effects))
    }

    /// A step that begins in this way.
    pub(super) fn step_by(
        &mut self,
        now: &Moment,
        begin: impl FnOnce(&mut Self, &mut Vec<Effect>),
    ) -> Vec<Effect> {
        let time = self.facts.clock.advance(now);
        let mut effects = std::mem::take(&mut self.late);
        begin(self, &mut effects);
        self.fire_due(now, &mut effects);
        for id in self.facts.silences.expire(now.wall_millis()) {
            effects.push(decided_alone(now, Verdict::SilenceEnded { id, by: None }));
        }
        self.hand_over(now, &mut effects);
        self.make_messages(now, &mut effects);
        if time.since(self.trimmed) >= TIDY {
            self.trimmed = time;
            self.trim(time);
        }
        effects
    }

    /// When to step with [`Input::Wake`], by the caller's monotonic clock. Never later than something is due; sometimes
    /// earlier.
    pub fn next_deadline(&self) -> Option<Duration> {
        let clock = self.facts.clock;
        // Only the wall clock of the last step counts for deadlines; windows have theirs in the buckets.
        let now = clock.last_moment();
        let situation = self.facts.situation(&now);
        let incidents = self.facts.incidents.values().filter_map(|record| record.machine.due);
        let acks = self.facts.incidents.values().filter_map(|record| {
            let until = record.machine.ack.as_ref()?.until?;
            (until > now.wall_millis()).then(|| clock.at_wall(until))
        });
        let buckets = self.buckets.values().flat_map(|bucket| {
            let reminders = bucket.known.values().filter_map(|known| known.remind);
            bucket.due.into_iter().chain(bucket.look_again).chain(bucket.refresh).chain(reminders)
        });
        let handovers = self.buckets.values().filter_map(|bucket| {
            let memory = self.receivers.get(&bucket.receiver)?;
            handover::next_deadline(
                bucket,
                receiver(&self.facts.config, &bucket.receiver)?,
                memory,
                &situation,
            )
        });
        let late = (!self.late.is_empty()).then_some(clock.time());
        let next = incidents.chain(acks).chain(buckets).chain(handovers).chain(late).min();
        next.map(|deadline| clock.to_mono(deadline))
    }

    /// The silences that are not forgotten.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.facts.silences.iter()
    }

    /// A memory for each receiver of the configuration.
    pub(super) fn add_receivers(&mut self) {
        for receiver in &self.facts.config.receivers {
            let new = || ReceiverMemory {
                name: receiver.name.clone(),
                first_incident: self.next_incident,
                ..ReceiverMemory::default()
            };
            self.receivers.entry(receiver.name.clone()).or_insert_with(new);
        }
    }

    /// Steps the incidents whose deadline has come.
    fn fire_due(&mut self, now: &Moment, effects: &mut Vec<Effect>) {
        let time = self.facts.clock.time();
        let due =
            self.facts.incidents.values().filter(|record| record.machine.due.is_some_and(|due| due <= time));
        for key in due.map(|record| record.key.clone()).collect::<Vec<_>>() {
            self.transition(&key, IncidentInput::Due, now, effects);
        }
    }

    fn hand_over(&mut self, now: &Moment, effects: &mut Vec<Effect>) {
        let situation = self.facts.situation(now);
        let mut due = Vec::new();
        for bucket in self.buckets.values_mut().filter(|bucket| !bucket.known.is_empty()) {
            let memory = self.receivers.get(&bucket.receiver);
            if let (Some(receiver), Some(memory)) = (receiver(&self.facts.config, &bucket.receiver), memory) {
                due.extend(handover::handovers(bucket, receiver, memory, &situation));
            }
        }
        for handover in due {
            self.receive(handover, now, effects);
        }
    }

    fn make_messages(&mut self, now: &Moment, effects: &mut Vec<Effect>) {
        let situation = self.facts.situation(now);
        for bucket in self.buckets.values_mut() {
            let memory = self.receivers.get_mut(&bucket.receiver);
            if let (Some(receiver), Some(memory)) = (receiver(&self.facts.config, &bucket.receiver), memory) {
                flush::flush(bucket, receiver, memory, &situation, &mut self.next_message, effects);
                refresh(bucket, receiver, memory, &situation, &mut self.next_message, effects);
            }
        }
    }

    /// Forgets what is not needed any more.
    fn trim(&mut self, now: WatchTime) {
        let config = &self.facts.config;
        self.facts.incidents.retain(|_, record| {
            let is_idle = record.machine.state == super::incident::IncidentState::Idle;
            !is_idle || record.machine.closed.is_some_and(|closed| now.since(closed) < REOPEN)
        });
        self.buckets.retain(|_, bucket| {
            receiver(config, &bucket.receiver)
                .is_some_and(|receiver| !bucket.is_spent(receiver.group_interval, now))
        });
    }
}

/// A receiver of the configuration by its name.
pub(super) fn receiver<'c>(config: &'c Alerting, name: &str) -> Option<&'c AlertReceiver> {
    config.receivers.iter().find(|receiver| receiver.name == name)
}

/// A line of the history about no incident.
pub(super) fn decided_alone(now: &Moment, what: Verdict) -> Effect {
    Effect::Decided(Decision {
        at: now.wall_millis(),
        incident: None,
        subject: None,
        family: None,
        receiver: None,
        what,
    })
}
