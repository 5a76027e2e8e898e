//! What would happen if a cause came up now, and what is open: part of [`Watch`].
//!
//! A copy of the machines takes the cause in, and goes on from deadline to deadline until each receiver that is told has its
//! message. So an explanation cannot differ from what happens, as far as nothing else happens.

use std::time::Duration;

use ironlance_config::alerting::{AlertReceiver, Alerting, ValueSource};
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Phase};
use ironlance_core::time::window::CivilMinute;

use super::budget::MAX_WAITING;
use super::clock::Moment;
use super::effect::{Audience, Decision, Effect, Hold, Verdict};
use super::record::IncidentRecord;
use super::routing;
use super::subject::{IncidentKey, Subject};
use super::view::{Explanation, IncidentReceiver, OpenIncident, ReceiverExplanation, RouteExplanation};
use super::watch::Watch;

/// The most steps that are looked ahead.
const MAX_STEPS: usize = 30_000;
/// The longest time that is looked ahead: longer than any window.
const MAX_AHEAD: Duration = Duration::from_secs(9 * 86_400);

impl Watch {
    /// What would happen if a cause came up now; `None` where there is no such program.
    pub fn explain(&self, program: &Namespec, cause: AlertCause, now: &Moment) -> Option<Explanation> {
        let config = &self.facts.config;
        config.programs.get(program)?;
        let subject = Subject::Program(program.clone());
        let (severity, severity_source) = routing::severity(config, &subject, cause, false);
        let route = |receiver: &AlertReceiver| {
            let route = routing::route(config, receiver, &subject, cause, severity);
            RouteExplanation {
                refusal: route.refusal,
                key: route.key,
                source: route.source,
                escalation: None,
                cause,
            }
        };
        let mut receivers = config
            .receivers
            .iter()
            .map(|receiver| ReceiverExplanation {
                receiver: receiver.name.clone(),
                route: route(receiver),
                knows: false,
                hold: None,
                hold_source: None,
                pace: None,
                at: None,
            })
            .collect::<Vec<_>>();
        if let Some((family, phase)) = cause.incident() {
            let key = IncidentKey { subject, family };
            for receiver in &mut receivers {
                receiver.knows = self.knows(&receiver.receiver, &key, phase);
            }
            self.look_ahead(&key, phase, now, &mut receivers);
            for (one, receiver) in receivers.iter_mut().zip(&config.receivers) {
                one.hold_source = one.hold.as_ref().and_then(|hold| hold_source(config, receiver, hold));
            }
        }
        let open = self.open_incidents().into_iter();
        let open = open.filter(|incident| incident.subject.program() == Some(program)).collect();
        Some(Explanation { severity, severity_source, receivers, open })
    }

    /// Whether a receiver knows of an incident that is as bad already.
    fn knows(&self, receiver: &str, key: &IncidentKey, phase: Phase) -> bool {
        let is_as_bad = |record: &IncidentRecord| {
            record.machine.is_open() && phase.rank() <= record.machine.phase().rank()
        };
        let mut own = self.buckets.values().filter(|bucket| bucket.receiver == receiver);
        own.any(|bucket| bucket.known.contains_key(key))
            && self.facts.incidents.get(key).is_some_and(is_as_bad)
    }

    /// Plays through what follows of a cause.
    fn look_ahead(
        &self,
        key: &IncidentKey,
        phase: Phase,
        now: &Moment,
        receivers: &mut [ReceiverExplanation],
    ) {
        let mut copy = Self::from_snapshot(self.to_snapshot(), Alerting::clone(&self.facts.config), now);
        let mut then = *now;
        let mut effects = copy.step_by(&then, |watch, effects| {
            watch.bad(key, phase, now.wall_millis(), (Vec::new(), None), now, effects);
        });
        for _ in 0..MAX_STEPS {
            for effect in &effects {
                copy.explain_effect(effect, key, &then, receivers);
            }
            if effects.iter().any(|effect| matches!(effect, Effect::Notify(_))) {
                copy.messages_are_taken(self);
                effects = copy.step_by(&then, |_, _| {});
                continue;
            }
            let is_stuck = |name: &str| {
                self.receivers.get(name).is_some_and(|memory| memory.waiting.len() >= MAX_WAITING)
            };
            let is_waited_for = |one: &ReceiverExplanation| {
                one.at.is_none() && !one.knows && one.route.refusal.is_none() && !is_stuck(&one.receiver)
            };
            let Some(deadline) = copy.next_deadline() else { return };
            let ahead = deadline.saturating_sub(now.mono);
            let is_done = !receivers.iter().any(is_waited_for) && !self.may_escalate(receivers);
            if is_done || ahead > MAX_AHEAD {
                return;
            }
            then = later(now, ahead);
            effects = copy.step_by(&then, |_, _| {});
        }
    }

    /// Whether an escalation to a receiver that is not told otherwise may still come.
    fn may_escalate(&self, receivers: &[ReceiverExplanation]) -> bool {
        self.facts.config.receivers.iter().zip(receivers).any(|(receiver, one)| {
            let to = receiver.escalate.as_ref().map(|handover| &handover.receiver);
            let mut others = receivers.iter().filter(|other| Some(&other.receiver) == to);
            one.at.is_some()
                && others.any(|other| other.route.refusal.is_some() && other.route.escalation.is_none())
        })
    }

    /// The outbox holds again what it held before, and no more.
    fn messages_are_taken(&mut self, before: &Self) {
        for (name, memory) in &mut self.receivers {
            memory.waiting =
                before.receivers.get(name).map(|before| before.waiting.clone()).unwrap_or_default();
        }
        self.paced_are_due();
    }

    /// Notes what an effect means for what is explained.
    fn explain_effect(
        &self,
        effect: &Effect,
        key: &IncidentKey,
        then: &Moment,
        receivers: &mut [ReceiverExplanation],
    ) {
        let number = self.facts.incidents.get(key).map_or(0, |record| record.number);
        let at = then.wall_millis();
        match effect {
            Effect::Notify(notice) if notice.audience == Audience::All => {
                let is_about = notice.items.iter().any(|item| item.incident == number);
                let one = receivers.iter_mut().find(|one| one.receiver == notice.receiver);
                if let Some(one) = one.filter(|one| is_about && !one.knows && one.route.refusal.is_none()) {
                    one.at.get_or_insert(at);
                }
            }
            Effect::Decided(Decision { incident: Some(incident), receiver: Some(name), what, .. })
                if *incident == number =>
            {
                if let Verdict::Escalated { to } = what {
                    let other = receivers.iter_mut().find(|one| one.receiver == *to);
                    if let Some(other) = other.filter(|other| other.route.refusal.is_some()) {
                        other.route.escalation.get_or_insert((name.clone(), at));
                    }
                }
                let Some(one) = receivers.iter_mut().find(|one| one.receiver == *name) else { return };
                match what {
                    Verdict::Held(hold) if one.at.is_none() => {
                        one.hold.get_or_insert_with(|| hold.clone());
                    }
                    Verdict::Paced(reason) if one.at.is_none() => {
                        one.pace.get_or_insert_with(|| reason.clone());
                    }
                    Verdict::Dropped(hold) => one.hold = Some(hold.clone()),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The incidents that are not over, by age.
    pub fn open_incidents(&self) -> Vec<OpenIncident> {
        let now = self.facts.clock.last_moment();
        let situation = self.facts.situation(&now);
        let open = self.facts.incidents.values().filter(|record| record.machine.is_open());
        let mut open = open
            .map(|record| OpenIncident {
                number: record.number,
                subject: record.key.subject.clone(),
                family: record.key.family,
                phase: record.machine.phase(),
                severity: situation.severity(record),
                is_up: record.is_up(),
                since: record.since,
                times: record.machine.times,
                ack: record.machine.ack.clone().filter(|_| record.machine.is_acked(now.wall_millis())),
                receivers: self.receivers_of(&record.key),
            })
            .collect::<Vec<_>>();
        open.sort_by_key(|incident| (incident.since, incident.number));
        open
    }

    fn receivers_of(&self, key: &IncidentKey) -> Vec<IncidentReceiver> {
        let clock = self.facts.clock;
        let concerned = self.buckets.values().filter(|bucket| bucket.concerns(key));
        concerned
            .map(|bucket| {
                let change = bucket.changed.get(key);
                let hold = change.and_then(|change| change.hold.clone());
                let last = bucket.known.get(key).map(|known| (clock.wall_of(known.at), known.message));
                let due =
                    bucket.due.filter(|_| change.is_some() && hold.is_none()).map(|due| clock.wall_of(due));
                IncidentReceiver { receiver: bucket.receiver.clone(), last, due, hold }
            })
            .collect()
    }
}

/// Where in the configuration a hold stands.
fn hold_source(config: &Alerting, receiver: &AlertReceiver, hold: &Hold) -> Option<ValueSource> {
    match hold {
        Hold::Quiet { .. } => receiver.key_sources.get("quiet").or(Some(&receiver.source)).cloned(),
        Hold::SilenceWindow { name, .. } => {
            config.silences.iter().find(|rule| rule.name == *name).map(|rule| rule.source.clone())
        }
        Hold::Shutdown | Hold::SameProgram | Hold::Silence { .. } => None,
    }
}

/// The moment so much later, as far as no clock is set.
fn later(now: &Moment, by: Duration) -> Moment {
    let wall = now.wall.saturating_add(by);
    let minutes = wall.as_secs() / 60 - now.wall.as_secs() / 60;
    let week = 7 * 24 * 60;
    let minute = u64::from(now.civil.weekday) * 24 * 60 + u64::from(now.civil.minute);
    let minute = (minute + minutes) % week;
    let civil = CivilMinute {
        weekday: u8::try_from(minute / (24 * 60)).unwrap_or(0),
        minute: u16::try_from(minute % (24 * 60)).unwrap_or(0),
    };
    Moment { mono: now.mono.saturating_add(by), wall, civil }
}
