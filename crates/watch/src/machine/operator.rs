//! What operators ask for: part of [`Watch`].

use ironlance_alert::card::{CardItem, CardKind, Fact, ItemStatus};
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{AlertCause, Family, Phase};

use super::clock::Moment;
use super::effect::{Audience, Effect, Verdict};
use super::incident::IncidentInput;
use super::input::{AckTarget, OperatorCommand};
use super::notice::{decided, next_number, notice};
use super::routing;
use super::silence::{self, Silence};
use super::subject::{IncidentKey, Subject};
use super::view::Acknowledgement;
use super::watch::{Watch, decided_alone, receiver};

impl Watch {
    /// Takes a command in.
    pub(super) fn operator(&mut self, command: OperatorCommand, now: &Moment, effects: &mut Vec<Effect>) {
        let wall = now.wall_millis();
        match command {
            OperatorCommand::Silence { request, programs, causes, from, until, by, comment } => {
                let id = self.next_silence;
                let from = from.unwrap_or(wall);
                let silence =
                    Silence { id, request, programs, causes, from, until, by, comment, is_over: false };
                match self.facts.silences.add(silence, wall) {
                    Ok(()) => {
                        self.next_silence += 1;
                        effects.push(decided_alone(now, Verdict::SilenceAdded(id)));
                    }
                    Err(reason) => effects.push(decided_alone(now, Verdict::Refused(reason))),
                }
            }
            OperatorCommand::EndSilence { id, by } => {
                let what = if self.facts.silences.end(id, wall) {
                    Verdict::SilenceEnded { id, by: Some(by) }
                } else {
                    Verdict::Refused(format!("cannot end silence {id}: there is none"))
                };
                effects.push(decided_alone(now, what));
            }
            OperatorCommand::Ack { target, until, by, comment } => {
                let ack = Acknowledgement { by, at: wall, until, comment };
                for key in self.targets(&target, now, effects) {
                    self.transition(&key, IncidentInput::Ack(ack.clone()), now, effects);
                }
            }
            OperatorCommand::Unack { target, by } => {
                for key in self.targets(&target, now, effects) {
                    let record = self.facts.incidents.get(&key);
                    if let Some(record) = record.filter(|record| record.machine.ack.is_some()) {
                        let what = Verdict::Unacked { by: Some(by.clone()) };
                        effects.push(decided(&self.facts.situation(now), &key, record.number, None, what));
                        self.transition(&key, IncidentInput::Unack, now, effects);
                    }
                }
            }
            OperatorCommand::Test { receiver, program, cause } => {
                self.test(&receiver, program, cause, now, effects);
            }
        }
    }

    /// The open incidents that are meant.
    fn targets(&self, target: &AckTarget, now: &Moment, effects: &mut Vec<Effect>) -> Vec<IncidentKey> {
        let open = self.facts.incidents.values().filter(|record| record.machine.is_open());
        let found = match target {
            AckTarget::Incident(number) => {
                let found = open.filter(|record| record.number == *number);
                Ok(found.map(|record| record.key.clone()).collect::<Vec<_>>())
            }
            AckTarget::Programs(patterns) => silence::selection(patterns).map(|selection| {
                let found = open.filter(|record| routing::is_selected(&selection, &record.key.subject));
                found.map(|record| record.key.clone()).collect()
            }),
        };
        let refusal = match &found {
            Ok(keys) if keys.is_empty() => Some("cannot acknowledge: no such open incident".to_owned()),
            Ok(_) => None,
            Err(reason) => Some(reason.clone()),
        };
        effects.extend(refusal.map(|reason| decided_alone(now, Verdict::Refused(reason))));
        found.unwrap_or_default()
    }

    fn test(
        &mut self,
        name: &str,
        program: Option<Namespec>,
        cause: AlertCause,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(receiver) = receiver(&self.facts.config, name) else {
            let reason = format!("cannot test [alert:{name}]: there is none");
            effects.push(decided_alone(now, Verdict::Refused(reason)));
            return;
        };
        let (family, phase) = cause.incident().unwrap_or((Family::Down, Phase::Crash));
        let program = program.unwrap_or_else(|| Namespec::new("example", "example"));
        let situation = self.facts.situation(now);
        let subject = Subject::Program(program.clone());
        let (severity, _) = routing::severity(&self.facts.config, &subject, cause, false);
        let facts = vec![Fact::Ended { status: Some(1), signal: None, oom: false, core: false }];
        let line = situation.line(&program, now.wall_millis(), ItemStatus::Firing, facts);
        let item = CardItem { family, phase, severity, times: 1, ..line };
        let number = next_number(&mut self.next_message);
        effects.push(notice(number, receiver, Audience::All, CardKind::Test, vec![item]));
    }
}
