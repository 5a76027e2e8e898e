//! Carries out what the machine decides: one thread looks and listens, one thread for each lane carries.
//!
//! All that happens arrives in one inbox: a new alert, the end of a try, the end of the listener. The machine says what
//! to do next; time goes by only while the inbox is empty.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use super::attempt::{lane, work};
use super::engine::{Engine, Input, Verdict, attempt};
use super::machine::{self, Command, Machine, Phase};
use super::plan::Lane;
use crate::channel::Undelivered;
use crate::say;

impl Engine {
    /// Delivers until the machine says that it is over; gives how many alerts stay.
    pub fn run(&self, inbox: &Receiver<Input>, tell: &Sender<Input>) -> usize {
        let mut round = Round {
            engine: self,
            tell,
            machine: Machine::new(self.settings, Instant::now()),
            workers: HashMap::new(),
            over: HashMap::new(),
            is_settled: false,
        };
        for id in self.store.sent_before() {
            round.over(&id, None);
        }
        let first = round.survey();
        round.step(first);
        while round.machine.phase() != Phase::Ended {
            let Some(deadline) = round.machine.next_deadline() else { break };
            // The inbox cannot close: we hold a sender ourselves.
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(input) => round.take(input),
                Err(_) => round.step(machine::Input::Tick),
            }
        }
        let stay = self.store.ids().iter().filter(|id| !round.over.contains_key(*id)).count();
        if stay == 0 {
            self.store.settled();
        }
        stay
    }
}

/// What a deliverer knows while it runs.
struct Round<'a> {
    engine: &'a Engine,
    tell: &'a Sender<Input>,
    machine: Machine,
    /// The threads that carry, one for each lane, by the orders that they are given.
    workers: HashMap<Lane, Sender<String>>,
    /// Alerts that are done with and could not be removed; with a reason, they were given up.
    over: HashMap<String, Option<String>>,
    /// Nothing waits, and the store knows it.
    is_settled: bool,
}

impl Round<'_> {
    /// Steps the machine, and carries out what it says until there is nothing more to be done at once.
    fn step(&mut self, input: machine::Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for command in self.machine.step(input, Instant::now()) {
                match command {
                    Command::Survey => inputs.push_back(self.survey()),
                    Command::LookAgain => inputs.extend(self.look_again()),
                    Command::Carry(lane, id) => self.carry(&lane, id),
                    // An idle worker ends with its orders, and says so.
                    Command::HangUp(count) => {
                        // A lane that got no thread has nobody to say so.
                        let silent = count.saturating_sub(self.workers.len());
                        inputs.extend((0..silent).map(|_| machine::Input::HungUp));
                        self.workers.clear();
                    }
                    Command::Beat => (self.engine.beat)(),
                }
            }
        }
        let is_settled = self.machine.plan().is_empty();
        if is_settled && !self.is_settled {
            self.engine.store.settled();
        }
        self.is_settled = is_settled;
    }

    fn take(&mut self, input: Input) {
        let input = match input {
            Input::Changed(ids) if ids.is_empty() => self.survey(),
            Input::Changed(ids) => self.found(&ids),
            Input::Nudged => {
                let found = self.found(&self.engine.store.ids());
                self.step(found);
                machine::Input::Nudged
            }
            Input::Orphaned => machine::Input::Orphaned,
            Input::Claimed => machine::Input::Claimed,
            Input::Leave => machine::Input::Leave,
            Input::Stop => {
                if self.machine.plan().is_busy() {
                    say("asked to end: finishing the mails in hand; the rest stays in the outbox");
                }
                machine::Input::Stop
            }
            Input::Progress(lane) => machine::Input::Progress(lane),
            Input::HungUp => machine::Input::HungUp,
            Input::Ended(lane, id, verdict) => return self.ended(&lane, &id, verdict),
        };
        self.step(input);
    }

    /// What waits and is not known yet.
    fn survey(&mut self) -> machine::Input {
        let mut ids = self.engine.store.ids();
        ids.retain(|id| !self.machine.plan().knows(id));
        self.found(&ids)
    }

    /// These alerts with the lanes where they belong now. What is damaged goes to the dead; what cannot be read for
    /// another reason is looked at again.
    fn found(&mut self, ids: &[String]) -> machine::Input {
        let mut found = Vec::new();
        let mut ids = VecDeque::from(ids.to_vec());
        while let Some(id) = ids.pop_front() {
            if self.over.contains_key(&id) {
                continue;
            }
            match self.engine.store.load(&id) {
                Ok(Some(stored)) if stored.sent => {
                    let _ = self.engine.store.taken(&id);
                    self.over(&id, None);
                }
                Ok(Some(stored)) => found.push((lane(&stored.alert.route.transport), id)),
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    self.engine.bury(&id, &error.to_string(), 0);
                    self.over(&id, Some(error.to_string()));
                }
                Err(error) if error.is_too_long() => match self.engine.store.split(&id) {
                    Ok(pieces) => {
                        say(&format!("{error}; it is sent in {} parts", pieces.len()));
                        ids.extend(pieces);
                    }
                    Err(error) => self.trouble(&error),
                },
                Err(error) => self.trouble(&error.to_string()),
            }
        }
        machine::Input::Found(found)
    }

    fn trouble(&mut self, error: &str) {
        say(&format!("{error}; trying again"));
        self.step(machine::Input::Trouble);
    }

    /// An alert is done with. Should the store still hold it, it must not be sent again: only its removal is tried
    /// again.
    fn over(&mut self, id: &str, reason: Option<String>) {
        if self.engine.store.holds(id) {
            self.over.insert(id.to_owned(), reason);
            self.step(machine::Input::Trouble);
        }
    }

    /// Tries again to remove what is done with, to read what could not be read, and to store what is only in memory.
    fn look_again(&mut self) -> Vec<machine::Input> {
        let store = Arc::clone(&self.engine.store);
        for (id, reason) in std::mem::take(&mut self.over) {
            let gone = match &reason {
                Some(reason) => store.bury(&id, &attempt(reason, 0)),
                None => store.taken(&id),
            };
            drop(gone);
            self.over(&id, reason);
        }
        let written = store.write_down(&|id| self.machine.plan().is_under_way(id));
        let gone = (!written.is_empty()).then_some(machine::Input::Gone(written));
        gone.into_iter().chain([self.survey()]).collect()
    }

    fn carry(&mut self, lane: &Lane, id: String) {
        let worker = self.workers.entry(lane.clone()).or_insert_with(|| {
            let (orders, ids) = channel::<String>();
            let engine = Engine { store: Arc::clone(&self.engine.store), ..*self.engine };
            let (lane, tell) = (lane.clone(), self.tell.clone());
            let started = thread::Builder::new().spawn(move || work(&engine, &lane, &ids, &tell));
            if let Err(error) = started {
                say(&format!("cannot start a thread to deliver: {error}; trying again"));
            }
            orders
        });
        if let Err(unsent) = worker.send(id) {
            // There is no room for a thread: the lane is tried again as if its server could not be reached.
            self.workers.remove(lane);
            let reason = "cannot start a thread to deliver".to_owned();
            let verdict = Verdict::Failed { undelivered: Undelivered::Unreachable(reason), tried: 0 };
            let _ = self.tell.send(Input::Ended(lane.clone(), unsent.0, verdict));
        }
    }

    fn ended(&mut self, lane: &Lane, id: &str, verdict: Verdict) {
        let jitter = fastrand::f64();
        let plan = self.machine.plan();
        let (outcome, failures_of_lane) = (verdict.outcome(), plan.failures(lane));
        if matches!(verdict, Verdict::Sent { .. } | Verdict::Over(_)) {
            let reason = if let Verdict::Over(reason) = &verdict { reason.clone() } else { None };
            self.over(id, reason);
        }
        self.step(machine::Input::Ended { lane: lane.clone(), id: id.to_owned(), outcome, jitter });
        match verdict {
            Verdict::Sent { subject, failures } if failures > 0 || failures_of_lane > 0 => {
                let waiting = self.machine.plan().waiting(lane);
                say(&format!("sent after all: {subject}; {waiting} alert(s) waiting"));
            }
            Verdict::Sent { .. } | Verdict::Over(_) => {}
            Verdict::Moved => {
                let found = self.survey();
                self.step(found);
            }
            Verdict::Failed { undelivered, .. } => self.say_failure(lane, id, &undelivered),
        }
    }

    fn say_failure(&self, lane: &Lane, id: &str, undelivered: &Undelivered) {
        let plan = self.machine.plan();
        let pause = plan.pause_of(lane, id, Instant::now()).unwrap_or_default();
        let origin = self.engine.store.load(id).ok().flatten().map(|stored| stored.alert.origin);
        let origin = origin.unwrap_or_default();
        let who: Vec<&str> = origin.split(' ').take(2).collect();
        say(&format!(
            "Error sending email: {}; {} alert(s) waiting, next try in {:.1} s (alert of {})",
            undelivered.reason(),
            plan.waiting(lane),
            pause.as_secs_f64(),
            who.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests;
