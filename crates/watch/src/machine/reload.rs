//! A new configuration: part of [`Watch`].

use std::rc::Rc;

use ironlance_alert::card::{CardKind, Mark};
use ironlance_config::alerting::Alerting;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::Family;

use super::clock::Moment;
use super::effect::{Audience, CloseReason, Effect};
use super::incident::IncidentInput;
use super::notice::{has_stateful, next_number, notice};
use super::subject::{IncidentKey, Subject};
use super::watch::{Watch, receiver};

impl Watch {
    /// Takes a new configuration. The effects are to be carried out with the one before: channels of a receiver that is
    /// gone learn that its incidents are not reported any more.
    pub fn reload(&mut self, config: Alerting, now: &Moment) -> Vec<Effect> {
        self.facts.clock.advance(now);
        let mut effects = std::mem::take(&mut self.late);
        let old = std::mem::replace(&mut self.facts.config, Rc::new(config));
        let gone = old.receivers.iter().filter(|old| receiver(&self.facts.config, &old.name).is_none());
        for receiver in gone.filter(|receiver| has_stateful(receiver)) {
            let own = self.buckets.values().filter(|bucket| bucket.receiver == receiver.name);
            let known = own.flat_map(|bucket| bucket.known.keys()).collect::<Vec<_>>();
            let situation = self.facts.situation(now);
            let records = known.into_iter().filter_map(|key| self.facts.incidents.get(key));
            let items = records.map(|record| situation.closed_item(record, CloseReason::Removed));
            let items = items.collect::<Vec<_>>();
            if !items.is_empty() {
                let number = next_number(&mut self.next_message);
                let mut made = notice(number, receiver, Audience::Stateful, CardKind::Recovered, items);
                if let Effect::Notify(notice) = &mut made {
                    notice.marks.push(Mark::NoLongerReported);
                }
                effects.push(made);
            }
        }
        self.follow_config(now, &mut effects);
        effects
    }

    /// Drops what the configuration does not know any more.
    pub(super) fn follow_config(&mut self, now: &Moment, effects: &mut Vec<Effect>) {
        let config = &self.facts.config;
        self.receivers.retain(|name, _| receiver(config, name).is_some());
        self.buckets.retain(|(name, _), _| receiver(config, name).is_some());
        for bucket in self.buckets.values_mut() {
            let Some(receiver) = receiver(config, &bucket.receiver) else { continue };
            for known in bucket.known.values_mut() {
                let is_set = known.remind.is_some();
                match receiver.repeat {
                    None => known.remind = None,
                    Some(repeat) if !is_set => known.remind = Some(known.at.after(repeat)),
                    Some(_) => {}
                }
            }
        }
        self.add_receivers();
        let has_check = |program: &Namespec, family, name: &str| {
            let Some(own) = self.facts.config.programs.get(program) else { return false };
            match family {
                Family::Health => own.checks.iter().any(|check| check.name == name),
                Family::Memory => own.memory_limit.is_some(),
                Family::Cpu => own.cpu_limit.is_some(),
                Family::Heartbeat => own.heartbeat.is_some(),
                Family::Down | Family::Listener | Family::Supervisor | Family::Delivery => true,
            }
        };
        let has_any = |program: &Namespec, family| match self.facts.config.programs.get(program) {
            Some(own) if family == Family::Health => !own.checks.is_empty(),
            _ => has_check(program, family, ""),
        };
        let is_gone = |key: &IncidentKey| match &key.subject {
            Subject::Program(program) => !has_any(program, key.family) && is_checked(key.family),
            Subject::Check { program, family, name } => !has_check(program, *family, name),
            Subject::Receiver(name) => receiver(&self.facts.config, name).is_none(),
            Subject::Supervisor | Subject::Watch => false,
        };
        let gone = self.facts.incidents.keys().filter(|key| is_gone(key)).cloned().collect::<Vec<_>>();
        let places =
            self.facts.readings.keys().filter(|(program, family, name)| !has_check(program, *family, name));
        for place in places.cloned().collect::<Vec<_>>() {
            self.facts.readings.remove(&place);
            let key = IncidentKey { subject: Subject::Program(place.0), family: place.1 };
            if !gone.contains(&key) && !self.any_bad(&key) {
                self.transition(&key, IncidentInput::Good, now, effects);
            }
        }
        for key in gone {
            self.transition(&key, IncidentInput::Gone(CloseReason::Removed), now, effects);
        }
    }
}

/// Whether incidents of a family come from checks of the configuration.
const fn is_checked(family: Family) -> bool {
    matches!(family, Family::Health | Family::Memory | Family::Cpu | Family::Heartbeat)
}
