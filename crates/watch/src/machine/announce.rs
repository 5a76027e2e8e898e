//! From changes of incidents to the buckets of those who are told: part of [`Watch`].

use std::rc::Rc;

use ironlance_alert::card::{CardKind, CardTail, Fact, Mark};
use ironlance_config::alerting::AlertReceiver;
use ironlance_core::alerting::incident::{Family, Phase};

use super::bucket::{Bucket, BucketEffect, BucketInput};
use super::clock::{Moment, WatchTime};
use super::effect::{Audience, CloseReason, ClosedIncident, Effect, RefusalReason, Verdict};
use super::handover::HandoverDue;
use super::incident::{IncidentChange, IncidentInput, IncidentRules, IncidentState};
use super::notice::{decided, grouping, has_stateful, next_number, notice};
use super::record::{IncidentRecord, group_of};
use super::routing::{self, Route};
use super::subject::{IncidentKey, Subject};
use super::watch::{Watch, receiver};

/// The most incidents that are followed at the same time.
pub(super) const MAX_INCIDENTS: usize = 10_000;

impl Watch {
    /// Something bad has happened.
    pub(super) fn bad(
        &mut self,
        key: &IncidentKey,
        phase: Phase,
        since: u64,
        (facts, tail): (Vec<Fact>, Option<CardTail>),
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        if self.facts.is_stopping && key.subject != Subject::Watch {
            return; // the supervisor ends its programs
        }
        let is_full = self.facts.incidents.len() >= MAX_INCIDENTS;
        let record = match self.facts.incidents.get_mut(key) {
            Some(record) => record,
            None if is_full => {
                let situation = self.facts.situation(now);
                effects.push(decided(&situation, key, 0, None, Verdict::TooMany));
                return;
            }
            None => {
                let new = || IncidentRecord::new(key.clone());
                self.facts.incidents.entry(key.clone()).or_insert_with(new)
            }
        };
        if record.machine.state == IncidentState::Idle {
            record.begin(next_number(&mut self.next_incident), since);
        }
        record.learn(facts, tail);
        self.transition(key, IncidentInput::Bad(phase), now, effects);
    }

    /// Steps an incident, and tells the buckets.
    pub(super) fn transition(
        &mut self,
        key: &IncidentKey,
        input: IncidentInput,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let rules = self.rules(key);
        let time = self.facts.clock.time();
        let Some(record) = self.facts.incidents.get_mut(key) else { return };
        let was_acked = record.machine.ack.clone();
        let Some(change) = record.machine.step(input, time, &rules) else { return };
        if change == IncidentChange::Up {
            record.well_since = Some(now.wall_millis());
        }
        let incident = record.number;
        let ack = record.machine.ack.clone();
        let verdict = match (change, &ack) {
            (IncidentChange::Open(phase), _) => Verdict::Opened(phase),
            (IncidentChange::Worse(phase), _) => Verdict::Worse(phase),
            (IncidentChange::Up, _) => Verdict::Up,
            (IncidentChange::Again(_), _) => Verdict::Again,
            (IncidentChange::Closed(reason), _) => Verdict::Closed(reason),
            (IncidentChange::Acked, Some(ack)) => {
                let (by, until, comment) = (ack.by.clone(), ack.until, ack.comment.clone());
                Verdict::Acked { by, until, comment }
            }
            (IncidentChange::Acked, None) | (IncidentChange::Unacked, _) => Verdict::Unacked { by: None },
        };
        if change != IncidentChange::Unacked {
            effects.push(decided(&self.facts.situation(now), key, incident, None, verdict));
        }
        match change {
            IncidentChange::Open(_) | IncidentChange::Worse(_) | IncidentChange::Again(_) => {
                if matches!(change, IncidentChange::Worse(_)) && was_acked.is_some() {
                    effects.push(decided(
                        &self.facts.situation(now),
                        key,
                        incident,
                        None,
                        Verdict::Unacked { by: None },
                    ));
                    self.restart_escalation(key, time);
                }
                self.tell_bad(key, change, now, effects);
            }
            IncidentChange::Up => {
                for bucket in self.buckets.values_mut() {
                    if let Some(receiver) = receiver(&self.facts.config, &bucket.receiver) {
                        bucket.put(key, incident, BucketInput::Up, grouping(receiver), time);
                    }
                }
            }
            IncidentChange::Closed(reason) => self.tell_closed(key, reason, now, effects),
            IncidentChange::Acked => {
                if let Some(ack) = ack {
                    let until = ack.until.map_or(time, |until| self.facts.clock.at_wall(until));
                    self.restart_escalation(key, until);
                    let mark = Mark::AcknowledgedBy { by: ack.by, comment: ack.comment };
                    self.tell_acked(key, &mark, now, effects);
                }
            }
            IncidentChange::Unacked => self.restart_escalation(key, time),
        }
    }

    /// Another receiver's handover comes in.
    pub(super) fn receive(&mut self, handover: HandoverDue, now: &Moment, effects: &mut Vec<Effect>) {
        let situation = self.facts.situation(now);
        let Some(record) = self.facts.incidents.get(&handover.key) else { return };
        let incident = record.number;
        effects.push(decided(&situation, &handover.key, incident, Some(&handover.from), handover.verdict));
        let config = Rc::clone(&self.facts.config);
        let Some(receiver) = receiver(&config, &handover.to) else { return };
        let time = self.facts.clock.time();
        let bucket = self.bucket_of(receiver, &handover.key);
        if !bucket.concerns(&handover.key) {
            let input = BucketInput::Handed(handover.mark);
            bucket.put(&handover.key, incident, input, grouping(receiver), time);
        }
        if let Some(record) = self.facts.incidents.get_mut(&handover.key)
            && !record.handed.contains(&receiver.name)
        {
            record.handed.push(receiver.name.clone());
        }
    }

    /// The bucket of a receiver that knows an incident, or that it belongs into.
    pub(super) fn bucket_of(&mut self, receiver: &AlertReceiver, key: &IncidentKey) -> &mut Bucket {
        let first = (receiver.name.clone(), Vec::new());
        let own = self.buckets.range(first..).take_while(|((name, _), _)| *name == receiver.name);
        let mut holding = own.filter(|(_, bucket)| bucket.concerns(key)).map(|(place, _)| place.clone());
        let place = holding.next().unwrap_or_else(|| (receiver.name.clone(), group_of(receiver, key)));
        let group = place.1.clone();
        self.buckets.entry(place).or_insert_with(|| Bucket::new(&receiver.name, group))
    }

    /// Whether a receiver has anything to do with an incident.
    fn is_concerned(&self, receiver: &str, key: &IncidentKey) -> bool {
        self.buckets.values().any(|bucket| bucket.receiver == receiver && bucket.concerns(key))
    }

    /// Whether a receiver is told of an incident as it stands, before its message is due.
    fn route_of(&self, receiver: &AlertReceiver, record: &IncidentRecord) -> Route {
        let (subject, cause) = (&record.key.subject, record.cause());
        let (severity, _) = routing::severity(&self.facts.config, subject, cause, false);
        let route = routing::route(&self.facts.config, receiver, subject, cause, severity);
        let first = self.receivers.get(&receiver.name).map_or(0, |memory| memory.first_incident);
        if route.refusal.is_none() && record.number < first {
            return Route {
                refusal: Some(RefusalReason::Earlier),
                key: None,
                source: receiver.source.clone(),
            };
        }
        route
    }

    fn tell_bad(
        &mut self,
        key: &IncidentKey,
        change: IncidentChange,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let time = self.facts.clock.time();
        let Some(record) = self.facts.incidents.get(key).cloned() else { return };
        let config = Rc::clone(&self.facts.config);
        for receiver in &config.receivers {
            let route = self.route_of(receiver, &record);
            let is_known = self.is_concerned(&receiver.name, key);
            let is_handed = record.handed.contains(&receiver.name);
            if let Some(refusal) = route.refusal
                && !is_known
                && !is_handed
            {
                if !matches!(change, IncidentChange::Again(_)) {
                    let situation = self.facts.situation(now);
                    let what = Verdict::NotRouted(refusal);
                    effects.push(decided(&situation, key, record.number, Some(&receiver.name), what));
                }
                continue;
            }
            let input = match change {
                IncidentChange::Again(phase) => BucketInput::Again(phase),
                _ => BucketInput::Bad,
            };
            let bucket = self.bucket_of(receiver, key);
            let effect = bucket.put(key, record.number, input, grouping(receiver), time);
            let due = bucket.due.filter(|_| !matches!(change, IncidentChange::Again(_)));
            self.carry_out(receiver, key, effect, now, effects);
            if let Some(due) = due {
                let what = Verdict::Due(self.facts.clock.wall_of(due));
                let situation = self.facts.situation(now);
                effects.push(decided(&situation, key, record.number, Some(&receiver.name), what));
            }
        }
    }

    fn tell_closed(
        &mut self,
        key: &IncidentKey,
        reason: CloseReason,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let time = self.facts.clock.time();
        let Some(record) = self.facts.incidents.get(key) else { return };
        let incident = record.number;
        let item = self.facts.situation(now).closed_item(record, reason);
        let config = Rc::clone(&self.facts.config);
        let mut receivers = Vec::new();
        for place in self.buckets.keys().cloned().collect::<Vec<_>>() {
            let Some(receiver) = receiver(&config, &place.0) else { continue };
            let Some(bucket) = self.buckets.get_mut(&place).filter(|bucket| bucket.concerns(key)) else {
                continue;
            };
            if bucket.known.contains_key(key) {
                receivers.push(receiver.name.clone());
            }
            let input = BucketInput::Closed(reason, Box::new(item.clone()));
            let effect = bucket.put(key, incident, input, grouping(receiver), time);
            self.carry_out(receiver, key, effect, now, effects);
        }
        effects.push(Effect::Closed(ClosedIncident { reason, item, receivers }));
        if reason == CloseReason::Well
            && let (Subject::Program(program), Family::Down) = (&key.subject, key.family)
            && let Some(memory) = self.facts.programs.get_mut(program)
        {
            memory.forget_ends();
        }
    }

    fn tell_acked(&mut self, key: &IncidentKey, mark: &Mark, now: &Moment, effects: &mut Vec<Effect>) {
        let time = self.facts.clock.time();
        let situation = self.facts.situation(now);
        let Some(record) = self.facts.incidents.get(key) else { return };
        let knows =
            |bucket: &&mut Bucket| bucket.known.get(key).is_some_and(|known| known.incident == record.number);
        for bucket in self.buckets.values_mut().filter(knows) {
            let Some(receiver) = receiver(&self.facts.config, &bucket.receiver) else { continue };
            if record.handed.contains(&receiver.name) {
                let input = BucketInput::Acked(mark.clone());
                bucket.put(key, record.number, input, grouping(receiver), time);
            } else if has_stateful(receiver) {
                let number = next_number(&mut self.next_message);
                let items = vec![situation.item(record)];
                let mut made = notice(number, receiver, Audience::Stateful, CardKind::Acknowledged, items);
                if let Effect::Notify(notice) = &mut made {
                    notice.marks.push(mark.clone());
                }
                effects.push(made);
            }
        }
    }

    /// Carries out what a bucket wants at once.
    fn carry_out(
        &mut self,
        receiver: &AlertReceiver,
        key: &IncidentKey,
        effect: Option<BucketEffect>,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        match effect {
            Some(BucketEffect::Close(item)) if has_stateful(receiver) => {
                let number = next_number(&mut self.next_message);
                let items = vec![*item];
                effects.push(notice(number, receiver, Audience::Stateful, CardKind::Recovered, items));
            }
            Some(BucketEffect::Dropped(hold)) => {
                let incident = self.facts.incidents.get(key).map_or(0, |record| record.number);
                let situation = self.facts.situation(now);
                let what = Verdict::Dropped(hold);
                effects.push(decided(&situation, key, incident, Some(&receiver.name), what));
            }
            None | Some(BucketEffect::Close(_)) => {}
        }
    }

    /// From now on the time counts after which an incident is escalated.
    fn restart_escalation(&mut self, key: &IncidentKey, from: WatchTime) {
        for bucket in self.buckets.values_mut() {
            if let Some(known) = bucket.known.get_mut(key) {
                known.unacked_since = from;
            }
        }
    }

    /// The times of an incident.
    fn rules(&self, key: &IncidentKey) -> IncidentRules {
        use std::time::Duration;
        let watch = &self.facts.config.watch;
        let program = routing::program(&self.facts.config, &key.subject);
        let hold = match (program, key.family, &key.subject) {
            (Some(program), Family::Memory, Subject::Program(_)) => {
                program.memory_limit.as_ref().map(|limit| limit.lasting)
            }
            (Some(program), Family::Cpu, Subject::Program(_)) => {
                program.cpu_limit.as_ref().map(|limit| limit.lasting)
            }
            _ => None,
        };
        IncidentRules {
            hold: hold.unwrap_or(Duration::ZERO),
            recover: program.map_or(watch.recover_after, |program| program.recover_after),
            window: program.map_or(watch.crash_loop.window, |program| program.crash_loop.window),
        }
    }
}
