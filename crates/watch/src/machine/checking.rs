//! From readings of checks to incidents and actions: part of [`Watch`].

use ironlance_alert::card::Fact;
use ironlance_config::alerting::Action;
use ironlance_core::Namespec;
use ironlance_core::alerting::incident::{Family, Phase};
use ironlance_core::process::state::ProcessState;

use super::clock::Moment;
use super::down::OurStop;
use super::effect::{Effect, Verdict};
use super::incident::IncidentInput;
use super::input::{CheckReading, ReadingResult};
use super::notice::decided;
use super::reading::{Reading, ReadingChange, ReadingRule};
use super::subject::{IncidentKey, Subject};
use super::watch::Watch;

impl Watch {
    /// Takes a result in.
    pub(super) fn check(&mut self, reading: CheckReading, now: &Moment, effects: &mut Vec<Effect>) {
        let program = &reading.program;
        let Some((rule, grace, action)) = self.check_rule(&reading) else { return };
        let at = self.facts.clock.of_wall(reading.at);
        let cannot = IncidentKey {
            subject: Subject::Check {
                program: program.clone(),
                family: reading.family,
                name: reading.check.clone(),
            },
            family: Family::Delivery,
        };
        let (is_good, facts) = match reading.result {
            ReadingResult::Failed { reason } => {
                if !self.is_firing(&cannot) {
                    let facts = (vec![Fact::Finding(reason), Fact::Checked(reading.check)], None);
                    self.bad(&cannot, Phase::Bad, reading.at, facts, now, effects);
                }
                return;
            }
            ReadingResult::Good => (true, Vec::new()),
            ReadingResult::Bad { facts } => (false, facts),
        };
        self.transition(&cannot, IncidentInput::Good, now, effects);
        let Some(memory) = self.facts.programs.get(program) else { return };
        let is_running = memory.state == Some(ProcessState::Running);
        let is_early = memory.started.is_some_and(|started| at.since(started) < grace || at < started);
        if !is_running || is_early {
            return;
        }
        let key = IncidentKey { subject: Subject::Program(program.clone()), family: reading.family };
        let place = (program.clone(), reading.family, reading.check.clone());
        let new = || Reading::new(program.clone(), reading.family, reading.check.clone());
        let readings = self.facts.readings.entry(place).or_insert_with(new);
        let (change, acts) = readings.result(is_good, at, rule);
        let is_bad = readings.is_bad;
        let is_rising = match rule {
            ReadingRule::Count { .. } => change == Some(ReadingChange::TurnedBad),
            ReadingRule::Lasting(_) => !is_good && !self.is_firing(&key),
        };
        let is_over = match rule {
            ReadingRule::Count { .. } => change == Some(ReadingChange::TurnedGood) && !self.any_bad(&key),
            ReadingRule::Lasting(_) => is_good,
        };
        if is_rising {
            self.bad(&key, Phase::Bad, reading.at, (facts, None), now, effects);
        } else if is_over {
            self.transition(&key, IncidentInput::Good, now, effects);
        } else if let Some(record) = self.facts.incidents.get_mut(&key).filter(|_| is_bad && !is_good) {
            record.learn(facts, None);
        }
        if acts {
            self.act(&key, &reading.program, action, now, effects);
        }
    }

    /// Does what the configuration wants of a fault.
    fn act(
        &mut self,
        key: &IncidentKey,
        program: &Namespec,
        action: Action,
        now: &Moment,
        effects: &mut Vec<Effect>,
    ) {
        let time = self.facts.clock.time();
        let Some(memory) = self.facts.programs.get_mut(program) else { return };
        let words = match &action {
            Action::Notify => return,
            Action::Restart { most, within } => {
                if memory.may_restart(*most, *within, time) {
                    memory.stopping(OurStop::Restart, time);
                    Ok("restarted".to_owned())
                } else {
                    let minutes = within.as_secs().div_ceil(60);
                    Err(format!("not restarted: {most} restarts in {minutes} min"))
                }
            }
            Action::Signal(name) => Ok(format!("sent SIG{name}")),
            Action::Stop => {
                memory.stopping(OurStop::Stop, time);
                Ok("stopped".to_owned())
            }
        };
        let incident = self.facts.incidents.get_mut(key).map_or(0, |record| {
            let fact = words.clone().unwrap_or_else(|words| words);
            record.learn_more(Fact::Action(fact));
            record.number
        });
        let situation = self.facts.situation(now);
        let what = match &words {
            Ok(words) => Verdict::Acting(words.clone()),
            Err(words) => Verdict::NotActing(words.clone()),
        };
        effects.push(decided(&situation, key, incident, None, what));
        if words.is_ok() {
            effects.push(Effect::Act { program: program.clone(), action });
        }
    }

    /// What was to be done could not be.
    pub(super) fn not_acted(&mut self, program: &Namespec, reason: &str) {
        if let Some(memory) = self.facts.programs.get_mut(program) {
            memory.not_stopping();
        }
        let own =
            self.facts.incidents.values_mut().filter(|record| {
                record.key.subject == Subject::Program(program.clone()) && record.has_acted()
            });
        for record in own {
            record.learn_more(Fact::Action(format!("action failed: {reason}")));
        }
    }

    /// Whether a reading of this program and family is bad.
    pub(super) fn any_bad(&self, key: &IncidentKey) -> bool {
        let mut readings = self.facts.readings.values();
        readings.any(|reading| {
            reading.is_bad && reading.family == key.family && Some(&reading.program) == key.subject.program()
        })
    }

    /// The rule, the grace and the action of a check; `None` where the configuration has no such check.
    fn check_rule(&self, reading: &CheckReading) -> Option<(ReadingRule, std::time::Duration, Action)> {
        let own = self.program(&reading.program)?;
        let no_grace = std::time::Duration::ZERO;
        match reading.family {
            Family::Health => {
                let check = own.checks.iter().find(|check| check.name == reading.check)?;
                let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
                let rule = ReadingRule::Count { fail: number(check.fail), of: number(check.of) };
                Some((rule, check.grace, check.action.clone()))
            }
            Family::Memory => {
                let limit = own.memory_limit.as_ref()?;
                Some((ReadingRule::Lasting(limit.lasting), no_grace, limit.action.clone()))
            }
            Family::Cpu => {
                let limit = own.cpu_limit.as_ref()?;
                Some((ReadingRule::Lasting(limit.lasting), no_grace, limit.action.clone()))
            }
            Family::Heartbeat => {
                let heartbeat = own.heartbeat.as_ref()?;
                Some((ReadingRule::Count { fail: 1, of: 1 }, heartbeat.within, heartbeat.action.clone()))
            }
            Family::Down | Family::Listener | Family::Supervisor | Family::Delivery => None,
        }
    }
}
