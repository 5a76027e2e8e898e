//! Carries out what the machine decides: one thread looks and listens, one thread for each queue carries.
//!
//! All that happens arrives in one inbox: a new alert, the end of a try, the end of the listener. The machine says what
//! to do next; time goes by only while the inbox is empty.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use super::attempt::{queue, work};
use super::machine::{self, Command, Machine, Phase};
use super::schedule::QueueKey;
use super::worker::{AttemptResult, DeliveryWorker, Input, attempt};
use crate::channel::DeliveryError;
use crate::log;

impl DeliveryWorker {
    /// Delivers until the machine says that it is over; gives how many alerts stay.
    pub fn run(&self, inbox: &Receiver<Input>, tell: &Sender<Input>) -> usize {
        let mut dispatcher = Dispatcher {
            worker: self,
            tell,
            machine: Machine::new(self.settings, Instant::now()),
            workers: HashMap::new(),
            over: HashMap::new(),
            is_settled: false,
        };
        for id in self.store.sent_but_present() {
            dispatcher.over(&id, None);
        }
        let first = dispatcher.survey();
        dispatcher.step(first);
        while dispatcher.machine.phase() != Phase::Ended {
            let Some(deadline) = dispatcher.machine.next_deadline() else { break };
            // The inbox cannot close: we hold a sender ourselves.
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(input) => dispatcher.take(input),
                Err(_) => dispatcher.step(machine::Input::Tick),
            }
        }
        let stay = self.store.ids().iter().filter(|id| !dispatcher.over.contains_key(*id)).count();
        if stay == 0 {
            self.store.on_empty();
        }
        stay
    }
}

/// What a deliverer knows while it runs.
struct Dispatcher<'a> {
    worker: &'a DeliveryWorker,
    tell: &'a Sender<Input>,
    machine: Machine,
    /// The threads that carry, one for each queue, by the orders that they are given.
    workers: HashMap<QueueKey, Sender<String>>,
    /// Alerts that are done with and could not be removed; with a reason, they were given up.
    over: HashMap<String, Option<String>>,
    /// Nothing waits, and the store knows it.
    is_settled: bool,
}

impl Dispatcher<'_> {
    /// ProgressReporter the machine, and carries out what it says until there is nothing more to be done at once.
    fn step(&mut self, input: machine::Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for command in self.machine.step(input, Instant::now()) {
                match command {
                    Command::Survey => inputs.push_back(self.survey()),
                    Command::LookAgain => inputs.extend(self.look_again()),
                    Command::Carry(queue, id) => self.carry(&queue, id),
                    // An idle worker ends with its orders, and says so.
                    Command::HangUp(count) => {
                        // A queue that got no thread has nobody to say so.
                        let silent = count.saturating_sub(self.workers.len());
                        inputs.extend((0..silent).map(|_| machine::Input::HungUp));
                        self.workers.clear();
                    }
                    Command::Heartbeat => (self.worker.heartbeat)(),
                }
            }
        }
        let is_settled = self.machine.schedule().is_empty();
        if is_settled && !self.is_settled {
            self.worker.store.on_empty();
        }
        self.is_settled = is_settled;
    }

    fn take(&mut self, input: Input) {
        let input = match input {
            Input::Changed(ids) if ids.is_empty() => self.survey(),
            Input::Changed(ids) => self.found(&ids),
            Input::Nudged => {
                let found = self.found(&self.worker.store.ids());
                self.step(found);
                machine::Input::Nudged
            }
            Input::Orphaned => machine::Input::Orphaned,
            Input::Claimed => machine::Input::Claimed,
            Input::Leave => machine::Input::Leave,
            Input::Stop => {
                if self.machine.schedule().is_busy() {
                    log("asked to end: finishing the mails in hand; the rest stays in the outbox");
                }
                machine::Input::Stop
            }
            Input::Progress(queue) => machine::Input::Progress(queue),
            Input::HungUp => machine::Input::HungUp,
            Input::Ended(queue, id, verdict) => return self.ended(&queue, &id, verdict),
        };
        self.step(input);
    }

    /// What waits and is not known yet.
    fn survey(&mut self) -> machine::Input {
        let mut ids = self.worker.store.ids();
        ids.retain(|id| !self.machine.schedule().contains(id));
        self.found(&ids)
    }

    /// These alerts with the queues where they belong now. What is damaged goes to the dead; what cannot be read for
    /// another reason is looked at again.
    fn found(&mut self, ids: &[String]) -> machine::Input {
        let mut found = Vec::new();
        let mut ids = VecDeque::from(ids.to_vec());
        while let Some(id) = ids.pop_front() {
            if self.over.contains_key(&id) {
                continue;
            }
            match self.worker.store.load(&id) {
                Ok(Some(stored)) if stored.sent => {
                    let _ = self.worker.store.remove_delivered(&id);
                    self.over(&id, None);
                }
                Ok(Some(stored)) => found.push((queue(&stored.alert.receiver.transport), id)),
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    self.worker.dead_letter(&id, &error.to_string(), 0);
                    self.over(&id, Some(error.to_string()));
                }
                Err(error) if error.is_too_long() => match self.worker.store.split(&id) {
                    Ok(pieces) => {
                        log(&format!("{error}; it is sent in {} parts", pieces.len()));
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
        log(&format!("{error}; trying again"));
        self.step(machine::Input::Trouble);
    }

    /// An alert is done with. Should the store still hold it, it must not be sent again: only its removal is tried
    /// again.
    fn over(&mut self, id: &str, reason: Option<String>) {
        if self.worker.store.is_waiting(id) {
            self.over.insert(id.to_owned(), reason);
            self.step(machine::Input::Trouble);
        }
    }

    /// Tries again to remove what is done with, to read what could not be read, and to store what is only in memory.
    fn look_again(&mut self) -> Vec<machine::Input> {
        let store = Arc::clone(&self.worker.store);
        for (id, reason) in std::mem::take(&mut self.over) {
            let gone = match &reason {
                Some(reason) => store.dead_letter(&id, &attempt(reason, 0)),
                None => store.remove_delivered(&id),
            };
            drop(gone);
            self.over(&id, reason);
        }
        let written = store.persist(&|id| self.machine.schedule().is_in_flight(id));
        let gone = (!written.is_empty()).then_some(machine::Input::Gone(written));
        gone.into_iter().chain([self.survey()]).collect()
    }

    fn carry(&mut self, queue: &QueueKey, id: String) {
        let worker = self.workers.entry(queue.clone()).or_insert_with(|| {
            let (orders, ids) = channel::<String>();
            let worker = DeliveryWorker { store: Arc::clone(&self.worker.store), ..*self.worker };
            let (queue, tell) = (queue.clone(), self.tell.clone());
            let started = thread::Builder::new().spawn(move || work(&worker, &queue, &ids, &tell));
            if let Err(error) = started {
                log(&format!("cannot start a thread to deliver: {error}; trying again"));
            }
            orders
        });
        if let Err(unsent) = worker.send(id) {
            // There is no room for a thread: the queue is tried again as if its server could not be reached.
            self.workers.remove(queue);
            let reason = "cannot start a thread to deliver".to_owned();
            let verdict = AttemptResult::Failed { undelivered: DeliveryError::Unreachable(reason), tried: 0 };
            let _ = self.tell.send(Input::Ended(queue.clone(), unsent.0, verdict));
        }
    }

    fn ended(&mut self, queue: &QueueKey, id: &str, verdict: AttemptResult) {
        let jitter = fastrand::f64();
        let schedule = self.machine.schedule();
        let (outcome, failures_of_lane) = (verdict.outcome(), schedule.failures(queue));
        if matches!(verdict, AttemptResult::Sent { .. } | AttemptResult::Over(_)) {
            let reason = if let AttemptResult::Over(reason) = &verdict { reason.clone() } else { None };
            self.over(id, reason);
        }
        self.step(machine::Input::Ended { queue: queue.clone(), id: id.to_owned(), outcome, jitter });
        match verdict {
            AttemptResult::Sent { subject, failures } if failures > 0 || failures_of_lane > 0 => {
                let waiting = self.machine.schedule().queue_len(queue);
                log(&format!("sent after all: {subject}; {waiting} alert(s) waiting"));
            }
            AttemptResult::Sent { .. } | AttemptResult::Over(_) => {}
            AttemptResult::Moved => {
                let found = self.survey();
                self.step(found);
            }
            AttemptResult::Failed { undelivered, .. } => self.log_failure(queue, id, &undelivered),
        }
    }

    fn log_failure(&self, queue: &QueueKey, id: &str, undelivered: &DeliveryError) {
        let schedule = self.machine.schedule();
        let pause = schedule.time_until_retry(queue, id, Instant::now()).unwrap_or_default();
        let origin = self.worker.store.load(id).ok().flatten().map(|stored| stored.alert.origin);
        let origin = origin.unwrap_or_default();
        let who: Vec<&str> = origin.split(' ').take(2).collect();
        log(&format!(
            "Error sending email: {}; {} alert(s) waiting, next try in {:.1} s (alert of {})",
            undelivered.reason(),
            schedule.queue_len(queue),
            pause.as_secs_f64(),
            who.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests;
