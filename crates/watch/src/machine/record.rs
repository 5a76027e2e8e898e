//! What is known of an incident: [`IncidentRecord`], and [`Situation`], which makes items of messages of it.

use std::collections::BTreeMap;
use std::mem;

use ironlance_alert::card::{CardItem, CardTail, Fact, ItemStatus};
use ironlance_config::alerting::{AlertReceiver, Alerting, GroupBy};
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase, Severity};
use ironlance_core::process::state::ProcessState;
use serde::{Deserialize, Serialize};

use super::clock::{Moment, WatchClock, WatchTime, seconds};
use super::down::ProgramMemory;
use super::effect::{CloseReason, Hold};
use super::incident::{IncidentMachine, IncidentState};
use super::mute::{self, MuteQuery};
use super::reading::Reading;
use super::routing;
use super::silence::SilenceList;
use super::subject::{IncidentKey, Subject};

/// The readings of every check, by program, family and name.
pub(super) type ReadingMap = BTreeMap<(Namespec, Family, String), Reading>;

/// The most facts of an incident.
const MAX_FACTS: usize = 24;

/// An incident, with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentRecord {
    pub(super) key: IncidentKey,
    /// Its number; that of the last one where there is none.
    pub(super) number: u64,
    pub(super) machine: IncidentMachine,
    /// Since when it is wrong, in milliseconds since 1970.
    pub(super) since: u64,
    /// Since when it is well and not yet over, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) well_since: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Fact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tail: Option<CardTail>,
    /// The receivers that it was handed over to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) handed: Vec<String>,
}

/// What decisions look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation<'a> {
    pub(super) config: &'a Alerting,
    pub(super) programs: &'a BTreeMap<Namespec, ProgramMemory>,
    pub(super) incidents: &'a BTreeMap<IncidentKey, IncidentRecord>,
    pub(super) readings: &'a ReadingMap,
    pub(super) silences: &'a SilenceList,
    pub(super) is_stopping: bool,
    pub(super) clock: WatchClock,
    pub(super) now: &'a Moment,
}

impl IncidentRecord {
    pub(super) fn new(key: IncidentKey) -> Self {
        Self {
            key,
            number: 0,
            machine: IncidentMachine::default(),
            since: 0,
            well_since: None,
            facts: Vec::new(),
            tail: None,
            handed: Vec::new(),
        }
    }

    /// A new incident begins.
    pub(super) fn begin(&mut self, number: u64, since: u64) {
        self.number = number;
        self.since = since;
        self.well_since = None;
        self.facts.clear();
        self.tail = None;
        self.handed.clear();
    }

    /// Adds what is known now. A fact takes the place of one of its kind; the new ones stand first.
    pub(super) fn learn(&mut self, facts: Vec<Fact>, tail: Option<CardTail>) {
        let kinds = facts.iter().map(mem::discriminant).collect::<Vec<_>>();
        let old = mem::replace(&mut self.facts, facts);
        self.facts.extend(old.into_iter().filter(|fact| !kinds.contains(&mem::discriminant(fact))));
        self.facts.truncate(MAX_FACTS);
        self.tail = tail.or(self.tail.take());
    }

    /// Adds a fact behind the others, in place of one of its kind.
    pub(super) fn learn_more(&mut self, fact: Fact) {
        self.facts.retain(|old| mem::discriminant(old) != mem::discriminant(&fact));
        self.facts.push(fact);
    }

    /// Whether something was done about it.
    pub(super) fn has_acted(&self) -> bool {
        self.facts.iter().any(|fact| matches!(fact, Fact::Action(_)))
    }

    /// Whether it is open and well at the moment.
    pub(super) fn is_up(&self) -> bool {
        self.machine.state == IncidentState::Recovering
    }

    /// What it is called in `on=`.
    pub(super) fn cause(&self) -> AlertCause {
        AlertCause::of(self.key.family, self.machine.phase())
    }

    /// Whether it would be told as over by saying that it runs again.
    pub(super) fn is_blip(&self) -> bool {
        self.is_up() && !matches!(self.machine.phase(), Phase::Loop | Phase::Flapping | Phase::Fatal)
    }
}

impl Situation<'_> {
    /// The watch time.
    pub(super) const fn time(&self) -> WatchTime {
        self.clock.time()
    }

    /// How much an incident matters at the moment.
    pub(super) fn severity(&self, record: &IncidentRecord) -> Severity {
        routing::severity(self.config, &record.key.subject, record.cause(), record.is_up()).0
    }

    /// Whether a program is down, or known not to run.
    pub(super) fn is_down(&self, program: &Namespec) -> bool {
        let key = IncidentKey { subject: Subject::Program(program.clone()), family: Family::Down };
        let is_open = self.incidents.get(&key).is_some_and(|down| down.machine.state != IncidentState::Idle);
        let state = self.programs.get(program).and_then(|memory| memory.state);
        is_open || state.is_some_and(|state| state != ProcessState::Running)
    }

    /// Whether a fault of a program was found before its last start alone.
    fn is_of_process_before(&self, program: &Namespec, family: Family) -> bool {
        let first = (program.clone(), family, String::new());
        let readings =
            self.readings.range(first..).take_while(|(key, _)| key.0 == *program && key.1 == family);
        let mut bad = readings.filter(|(_, reading)| reading.is_bad).peekable();
        bad.peek().is_some() && bad.all(|(_, reading)| !reading.is_confirmed)
    }

    /// What holds a message about something back.
    pub(super) fn hold(
        &self,
        receiver: &AlertReceiver,
        key: &IncidentKey,
        cause: AlertCause,
        severity: Severity,
    ) -> Option<(Hold, Option<std::time::Duration>)> {
        let query = MuteQuery {
            subject: &key.subject,
            family: key.family,
            cause,
            severity,
            is_down: key.family != Family::Down
                && !self.incidents.get(key).is_some_and(IncidentRecord::has_acted)
                && key.subject.program().is_some_and(|program| {
                    self.is_down(program) || self.is_of_process_before(program, key.family)
                }),
            is_stopping: self.is_stopping,
        };
        mute::judge(&query, self.config, receiver, self.silences, self.now)
    }

    /// An incident as an item of a message, as it stands.
    pub(super) fn item(&self, record: &IncidentRecord) -> CardItem {
        let status = if record.is_up() { ItemStatus::UpAgain } else { ItemStatus::Firing };
        self.item_as(record, status)
    }

    /// An incident that is just over.
    pub(super) fn closed_item(&self, record: &IncidentRecord, reason: CloseReason) -> CardItem {
        let status = match reason {
            CloseReason::Well => ItemStatus::Recovered,
            CloseReason::Operator => ItemStatus::StoppedByOperator,
            CloseReason::Removed => ItemStatus::Removed,
            CloseReason::Shutdown => ItemStatus::Shutdown,
        };
        // It was over when it became well; the time until that was certain is none of it.
        let well_since = record.well_since.filter(|_| reason == CloseReason::Well);
        let until = seconds(well_since.unwrap_or_else(|| self.now.wall_millis()));
        CardItem { until: Some(until.max(seconds(record.since))), ..self.item_as(record, status) }
    }

    /// A line about a program that is no incident.
    pub(super) fn line(&self, program: &Namespec, at: u64, status: ItemStatus, facts: Vec<Fact>) -> CardItem {
        let subject = Subject::Program(program.clone());
        let key = IncidentKey { subject, family: Family::Down };
        let mut record = IncidentRecord { since: at, ..IncidentRecord::new(key) };
        record.facts = facts;
        record.facts.truncate(MAX_FACTS);
        CardItem { severity: Severity::Info, ..self.item_as(&record, status) }
    }

    fn item_as(&self, record: &IncidentRecord, status: ItemStatus) -> CardItem {
        let program = routing::program(self.config, &record.key.subject);
        let mut facts = record.facts.clone();
        let memory = record.key.subject.program().and_then(|program| self.programs.get(program));
        let is_down = record.key.family == Family::Down;
        if is_down
            && record.machine.phase() == Phase::Loop
            && let (Some(memory), Some(program)) = (memory, program)
        {
            let count = memory.ends_within(program.crash_loop.window, self.time());
            facts.push(Fact::Ends { count, window: program.crash_loop.window.as_secs() });
        }
        match memory {
            Some(memory) if matches!(status, ItemStatus::UpAgain | ItemStatus::Recovered) => {
                facts.extend(memory.running.map(|(at, pid)| Fact::RunningSince { at: seconds(at), pid }));
            }
            Some(memory) if is_down && status == ItemStatus::Firing => {
                facts.extend(memory.state.map(|state| Fact::StateNow(state.name().to_owned())));
            }
            _ => {}
        }
        CardItem {
            incident: record.number,
            program: record.key.subject.to_string(),
            group: record.key.subject.group(),
            family: record.key.family,
            phase: record.machine.phase(),
            severity: self.severity(record),
            status,
            facts,
            tail: record.tail.clone(),
            since: seconds(record.since),
            until: None,
            times: record.machine.times,
            runbook: program.and_then(|program| program.runbook.clone()),
            also: Vec::new(),
            labels: program.map(|program| program.labels.clone()).unwrap_or_default(),
        }
    }
}

/// What the incidents of a bucket agree in.
pub(super) fn group_of(receiver: &AlertReceiver, key: &IncidentKey) -> Vec<String> {
    let word = |by: &GroupBy| match by {
        GroupBy::Receiver => None,
        GroupBy::Group => Some(key.subject.group()),
        GroupBy::Program => Some(key.subject.to_string()),
        GroupBy::Family => Some(key.family.name().to_owned()),
    };
    receiver.group_by.iter().filter_map(word).collect()
}
