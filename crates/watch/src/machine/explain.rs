//! What would happen if a cause came up now, and what is open: part of [`Watch`]. Asks the functions that decide.

use std::time::Duration;

use ironlance_config::alerting::AlertReceiver;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase, Severity};
use ironlance_core::time::window::CivilMinute;

use super::bucket::Bucket;
use super::clock::{Moment, WatchClock};
use super::effect::PaceReason;
use super::record::{IncidentRecord, Situation, group_of};
use super::routing;
use super::subject::{IncidentKey, Subject};
use super::view::{Explanation, IncidentReceiver, OpenIncident, ReceiverExplanation, RouteExplanation};
use super::watch::Watch;

/// How often a hold that follows another is followed.
const MAX_HOLDS: usize = 64;

impl Watch {
    /// What would happen if a cause came up now; `None` where there is no such program.
    pub fn explain(&self, program: &Namespec, cause: AlertCause, now: &Moment) -> Option<Explanation> {
        let config = &self.facts.config;
        config.programs.get(program)?;
        let subject = Subject::Program(program.clone());
        let (severity, severity_source) = routing::severity(config, &subject, cause, false);
        let mut clock = self.facts.clock;
        clock.advance(now);
        let mut receivers = config
            .receivers
            .iter()
            .map(|receiver| self.explain_receiver(receiver, &subject, cause, severity, clock, now))
            .collect::<Vec<_>>();
        let escalations = config.receivers.iter().zip(&receivers).filter_map(|(receiver, explained)| {
            let handover = receiver.escalate.as_ref()?;
            let after = u64::try_from(handover.after.as_millis()).unwrap_or(u64::MAX);
            Some((handover.receiver.clone(), receiver.name.clone(), explained.at?.saturating_add(after)))
        });
        for (to, from, at) in escalations.collect::<Vec<_>>() {
            let other = receivers.iter_mut().find(|other| other.receiver == to);
            if let Some(other) = other.filter(|other| other.route.refusal.is_some()) {
                other.route.escalation = Some((from, at));
            }
        }
        let open = self.open_incidents().into_iter();
        let open = open.filter(|incident| incident.subject.program() == Some(program)).collect();
        Some(Explanation { severity, severity_source, receivers, open })
    }

    fn explain_receiver(
        &self,
        receiver: &AlertReceiver,
        subject: &Subject,
        cause: AlertCause,
        severity: Severity,
        clock: WatchClock,
        now: &Moment,
    ) -> ReceiverExplanation {
        let route = routing::route(&self.facts.config, receiver, subject, cause, severity);
        let mut explained = ReceiverExplanation {
            receiver: receiver.name.clone(),
            route: RouteExplanation {
                refusal: route.refusal,
                key: route.key,
                source: route.source,
                escalation: None,
                cause,
            },
            knows: false,
            hold: None,
            pace: None,
            at: None,
        };
        if explained.route.refusal.is_some() {
            return explained;
        }
        let (family, phase) = cause.incident().unwrap_or((Family::Down, Phase::Backoff));
        let key = IncidentKey { subject: subject.clone(), family };
        let own = self.buckets.values().filter(|bucket| bucket.receiver == receiver.name);
        let holding = own.clone().find(|bucket| bucket.concerns(&key));
        let group = group_of(receiver, &key);
        let bucket = holding.or_else(|| own.clone().find(|bucket| bucket.group == group));
        let empty = Bucket::new(&receiver.name, group);
        let bucket = bucket.unwrap_or(&empty);
        let is_worse = |record: &IncidentRecord| phase.rank() > record.machine.phase().rank();
        explained.knows = bucket.known.contains_key(&key)
            && self
                .facts
                .incidents
                .get(&key)
                .is_some_and(|record| record.machine.is_open() && !is_worse(record));
        if explained.knows {
            return explained;
        }
        let start = clock.time();
        let wanted = bucket.earliest(receiver.group_interval, start.after(receiver.group_wait));
        let mut at = bucket.due.map_or(wanted, |due| due.min(wanted)).max(start);
        for _ in 0..MAX_HOLDS {
            let then = later(now, at.since(start));
            let Some((hold, end)) = self.situation_at(clock, &then).hold(receiver, &key, cause, severity)
            else {
                break;
            };
            explained.hold.get_or_insert(hold);
            let Some(end) = end else { return explained };
            at = bucket.earliest(receiver.group_interval, at.after(end));
        }
        let memory = self.receivers.get(&receiver.name);
        let refusal = memory.and_then(|memory| memory.budget.refusal(receiver, &memory.waiting, at));
        let is_backlog = matches!(refusal, Some((PaceReason::Backlog(_), _)));
        if let Some((reason, until)) = refusal {
            explained.pace = Some(reason);
            at = until;
        }
        explained.at = (!is_backlog).then(|| clock.wall_of(at));
        explained
    }

    fn situation_at<'a>(&'a self, clock: WatchClock, now: &'a Moment) -> Situation<'a> {
        Situation { clock, ..self.facts.situation(now) }
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
