//! The main loop of a deliverer: `Dispatcher` passes messages to the machine and carries out its commands. Called by
//! [`DeliveryWorker::run`]; it never waits for a channel, which is what the thread of each queue does.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use super::attempt::{queue_key, run_queue};
use super::machine::{Command, Input, Machine, Phase};
use super::schedule::QueueKey;
use super::worker::{AttemptResult, DeliveryWorker, Message, failed_attempt, failure_of};
use crate::channel::DeliveryError;
use crate::log;
use crate::outbox::OutboxError;

impl DeliveryWorker {
    /// Delivers until the machine ends; gives the number of alerts that remain.
    pub fn run(&self, inbox: &Receiver<Message>, tell: &Sender<Message>) -> usize {
        let mut dispatcher = Dispatcher {
            worker: self,
            tell,
            machine: Machine::new(self.settings, Instant::now()),
            workers: HashMap::new(),
            closed: HashMap::new(),
            is_empty: false,
        };
        for id in self.store.sent_but_present() {
            dispatcher.close(&id, None);
        }
        let first = dispatcher.scan();
        dispatcher.step(first);
        while dispatcher.machine.phase() != Phase::Ended {
            let Some(deadline) = dispatcher.machine.next_deadline() else { break };
            // The inbox cannot close: we hold a sender ourselves.
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(message) => dispatcher.handle(message),
                Err(_) => dispatcher.step(Input::Tick),
            }
        }
        let remaining = self.store.ids().iter().filter(|id| !dispatcher.closed.contains_key(*id)).count();
        if remaining == 0 {
            self.store.on_empty();
        }
        remaining
    }
}

/// What a deliverer knows while it runs.
struct Dispatcher<'a> {
    worker: &'a DeliveryWorker,
    tell: &'a Sender<Message>,
    machine: Machine,
    /// The threads of the queues, by the senders of the ids that they are to attempt.
    workers: HashMap<QueueKey, Sender<String>>,
    /// Alerts that were sent or, with a reason, given up, and could not be removed.
    closed: HashMap<String, Option<String>>,
    /// Nothing waits, and the store was told.
    is_empty: bool,
}

impl Dispatcher<'_> {
    /// Steps the machine, and carries out its commands until there are none.
    fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for command in self.machine.step(input, Instant::now()) {
                match command {
                    Command::Scan => inputs.push_back(self.scan()),
                    Command::Rescan => inputs.extend(self.rescan()),
                    Command::Attempt(queue, id) => self.attempt(&queue, id),
                    // An idle thread ends with its channel, and sends `Disconnected`.
                    Command::Disconnect(count) => {
                        // A queue without a thread sends nothing.
                        let silent = count.saturating_sub(self.workers.len());
                        inputs.extend((0..silent).map(|_| Input::Disconnected));
                        self.workers.clear();
                    }
                    Command::Heartbeat => (self.worker.heartbeat)(),
                }
            }
        }
        let is_empty = self.machine.schedule().is_empty();
        if is_empty && !self.is_empty {
            self.worker.store.on_empty();
        }
        self.is_empty = is_empty;
    }

    fn handle(&mut self, message: Message) {
        let input = match message {
            Message::Changed(ids) if ids.is_empty() => self.scan(),
            Message::Changed(ids) => self.load(ids),
            Message::Finished(queue, id, result) => return self.finished(&queue, &id, result),
            Message::Input(input) => input,
        };
        if input == Input::RetryAll {
            let found = self.load(self.worker.store.ids());
            self.step(found);
        }
        if input == Input::Stop && self.machine.schedule().is_busy() {
            log("asked to end: finishing the mails in hand; the rest stays in the outbox");
        }
        self.step(input);
    }

    /// The alerts that wait and are in no queue yet.
    fn scan(&mut self) -> Input {
        let mut ids = self.worker.store.ids();
        ids.retain(|id| !self.machine.schedule().contains(id));
        self.load(ids)
    }

    /// These alerts with their queues. A damaged one becomes a dead letter; one that cannot be read for another reason
    /// is read again later.
    fn load(&mut self, ids: Vec<String>) -> Input {
        let mut found = Vec::new();
        let mut ids = VecDeque::from(ids);
        while let Some(id) = ids.pop_front() {
            if self.closed.contains_key(&id) {
                continue;
            }
            match self.worker.store.load(&id) {
                Ok(Some(stored)) if stored.sent => {
                    let _ = self.worker.store.remove_delivered(&id);
                    self.close(&id, None);
                }
                Ok(Some(stored)) => found.push((queue_key(&stored.alert.receiver.transport), id)),
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    self.worker.dead_letter(&id, &error.to_string(), 0);
                    self.close(&id, Some(error.to_string()));
                }
                Err(error) if error.is_too_long() => match self.worker.store.split(&id) {
                    Ok(pieces) => {
                        log(&format!("{error}; it is sent in {} parts", pieces.len()));
                        ids.extend(pieces);
                    }
                    Err(error) => self.store_failed(&error),
                },
                Err(error) => self.store_failed(&error),
            }
        }
        Input::Found(found)
    }

    fn store_failed(&mut self, error: &OutboxError) {
        log(&format!("{error}; trying again"));
        self.step(Input::StoreFailed);
    }

    /// Marks an alert as sent or given up. If the store still has it, only its removal is tried again.
    fn close(&mut self, id: &str, reason: Option<String>) {
        if self.worker.store.is_waiting(id) {
            self.closed.insert(id.to_owned(), reason);
            self.step(Input::StoreFailed);
        }
    }

    /// Tries again to remove what is closed, to read what could not be read, and to store what is only in memory.
    fn rescan(&mut self) -> Vec<Input> {
        let store = Arc::clone(&self.worker.store);
        for (id, reason) in std::mem::take(&mut self.closed) {
            let gone = match &reason {
                Some(reason) => store.dead_letter(&id, &failed_attempt(reason, 0)),
                None => store.remove_delivered(&id),
            };
            drop(gone);
            self.close(&id, reason);
        }
        let written = store.persist(&|id| self.machine.schedule().is_in_flight(id));
        let gone = (!written.is_empty()).then_some(Input::Removed(written));
        gone.into_iter().chain([self.scan()]).collect()
    }

    fn attempt(&mut self, queue: &QueueKey, id: String) {
        let worker = self.workers.entry(queue.clone()).or_insert_with(|| {
            let (orders, ids) = channel::<String>();
            let worker = DeliveryWorker { store: Arc::clone(&self.worker.store), ..*self.worker };
            let (queue, tell) = (queue.clone(), self.tell.clone());
            let started = thread::Builder::new().spawn(move || run_queue(&worker, &queue, &ids, &tell));
            if let Err(error) = started {
                log(&format!("cannot start a thread to deliver: {error}; trying again"));
            }
            orders
        });
        if let Err(unsent) = worker.send(id) {
            // Without a thread the queue is tried again as if its server could not be reached.
            self.workers.remove(queue);
            let reason = "cannot start a thread to deliver".to_owned();
            let result = AttemptResult::Failed(DeliveryError::unreachable(reason));
            let _ = self.tell.send(Message::Finished(queue.clone(), unsent.0, result));
        }
    }

    fn finished(&mut self, queue: &QueueKey, id: &str, result: AttemptResult) {
        let jitter = fastrand::f64();
        let schedule = self.machine.schedule();
        let (outcome, failures_of_queue) = (result.outcome(), schedule.failures(queue));
        if matches!(result, AttemptResult::Sent { .. } | AttemptResult::Closed(_)) {
            let reason = if let AttemptResult::Closed(reason) = &result { reason.clone() } else { None };
            self.close(id, reason);
        }
        self.step(Input::Finished { queue: queue.clone(), id: id.to_owned(), outcome, jitter });
        match result {
            AttemptResult::Sent { subject, receiver, failures } if failures > 0 || failures_of_queue > 0 => {
                let waiting = self.machine.schedule().queue_len(queue);
                log(&format!("sent after all to {receiver}: {subject}; {waiting} alert(s) waiting"));
            }
            AttemptResult::Sent { .. } | AttemptResult::Closed(_) => {}
            AttemptResult::Moved => {
                let found = self.scan();
                self.step(found);
            }
            AttemptResult::Failed(undelivered) => self.log_failure(queue, id, &undelivered),
        }
    }

    fn log_failure(&self, queue: &QueueKey, id: &str, undelivered: &DeliveryError) {
        let schedule = self.machine.schedule();
        let pause = schedule.time_until_retry(queue, id, Instant::now()).unwrap_or_default();
        let alert = self.worker.store.load(id).ok().flatten().map(|stored| stored.alert);
        let origin = alert.as_ref().map(|alert| alert.origin.as_str()).unwrap_or_default();
        let who: Vec<&str> = origin.split(' ').take(2).collect();
        log(&format!(
            "{}{}; {} alert(s) waiting, next try in {:.1} s (alert of {})",
            failure_of(alert.as_ref()),
            undelivered.reason(),
            schedule.queue_len(queue),
            pause.as_secs_f64(),
            who.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests;
