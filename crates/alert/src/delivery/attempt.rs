//! One try of one alert, in the thread of its queue: fetch it, hand it to the carrier, and write down what came of it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::schedule::QueueKey;
use super::worker::{AttemptResult, DeliveryWorker, Input, attempt};
use crate::channel::{DeliveryChannel, DeliveryError, DeliveryProgress, Receipt, Retry};
use crate::log;
use crate::outbox::record::StoredAlert;
use crate::outbox::unix_time;
use crate::receiver::Transport;

/// Alerts of one queue can share a connection; a password that changed makes another.
pub(super) fn queue(transport: &Transport) -> QueueKey {
    serde_json::to_string(transport).expect("a transport has only strings for keys")
}

/// What the thread of a queue remembers of alerts, by their ids.
#[derive(Default)]
struct QueueState {
    /// The recipients that are left of alerts that were sent to some of theirs while the disk refused to note it.
    left: HashMap<String, Vec<String>>,
    /// When we first tried an alert, and for how long it had been tried by then, in seconds.
    since: HashMap<String, (Instant, u64)>,
}

impl QueueState {
    /// For how long an alert has been tried, in seconds of a monotonic clock.
    fn tried(&mut self, stored: &StoredAlert, now: Instant) -> u64 {
        let before = stored.attempts.iter().map(|attempt| attempt.tried).max().unwrap_or_default();
        let (since, before) = self.since.entry(stored.alert.id.clone()).or_insert((now, before));
        before.saturating_add(now.saturating_duration_since(*since).as_secs())
    }
}

/// Tells that the connection is closed, however the thread ends.
struct DisconnectGuard<'a>(&'a Sender<Input>);

impl Drop for DisconnectGuard<'_> {
    fn drop(&mut self) {
        // The receiver is closed once the deliverer has ended.
        let _ = self.0.send(Input::HungUp);
    }
}

/// The machine is told of a mail's progress at most so often: it asks only whether there was any for minutes.
const TELL: Duration = Duration::from_secs(10);

/// Tells each step to who watches, and that there was one to the machine.
struct ProgressReporter<'a> {
    watcher: Box<dyn DeliveryProgress>,
    queue: &'a QueueKey,
    tell: &'a Sender<Input>,
    told: Instant,
}

impl DeliveryProgress for ProgressReporter<'_> {
    fn step(&mut self, what: &str) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let _ = self.tell.send(Input::Progress(self.queue.clone()));
        }
        self.watcher.step(what);
    }
}

/// The thread of a queue: tries what it is told to, and hangs up when there are no more orders.
pub(super) fn work(worker: &DeliveryWorker, queue: &QueueKey, ids: &Receiver<String>, tell: &Sender<Input>) {
    // First of all, so that it is dropped last: behind the connection.
    let _closed = DisconnectGuard(tell);
    let mut open: Option<Box<dyn DeliveryChannel>> = None;
    let mut known = QueueState::default();
    loop {
        let id = match ids.recv_timeout(worker.idle) {
            Ok(id) => id,
            Err(RecvTimeoutError::Timeout) => {
                open = None;
                // Nothing is left to be closed: the next order may take its time.
                let Ok(id) = ids.recv() else { return };
                id
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let verdict = worker.fetch(queue, &id).map_or_else(
            |verdict| verdict,
            |stored| {
                let transport = stored.alert.receiver.transport.clone();
                let channel = open.get_or_insert_with(|| (worker.open)(&transport));
                let mut steps =
                    ProgressReporter { watcher: (worker.progress)(), queue, tell, told: Instant::now() };
                let tried = known.tried(&stored, Instant::now());
                // A fault of ours in one carrier must not keep the others from their work.
                let attempt =
                    AssertUnwindSafe(|| worker.attempt(channel.as_mut(), &mut steps, stored, &mut known));
                catch_unwind(attempt).unwrap_or_else(|_| {
                    open = None;
                    let reason = format!("internal error with {transport}");
                    AttemptResult::Failed { undelivered: DeliveryError::Unreachable(reason), tried }
                })
            },
        );
        if let AttemptResult::Failed { undelivered, tried } = &verdict {
            worker.store.record_attempt(&id, &attempt(undelivered.reason(), *tried));
        } else {
            known.since.remove(&id);
        }
        if tell.send(Input::Ended(queue.clone(), id, verdict)).is_err() {
            return;
        }
    }
}

impl DeliveryWorker {
    /// The alert to try, or what to do when there is none to be had.
    fn fetch(&self, own_lane: &QueueKey, id: &str) -> Result<StoredAlert, AttemptResult> {
        match self.store.load(id) {
            Ok(Some(stored)) if queue(&stored.alert.receiver.transport) != *own_lane => {
                Err(AttemptResult::Moved)
            }
            Ok(Some(stored)) if stored.sent => {
                // What cannot be removed now either is looked at again.
                let _ = self.store.remove_delivered(id);
                Err(AttemptResult::Over(None))
            }
            Ok(Some(mut stored)) if stored.damaged > 0 => {
                log(&format!("{} line(s) of the alert {id} are damaged; sending the others", stored.damaged));
                if let Err(error) = self.store.repair(&mut stored) {
                    log(&format!("{error}: the alert is sent all the same"));
                }
                Ok(stored)
            }
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => {
                log(&format!("the alert {id} was not sent: somebody has taken it out of the outbox"));
                Err(AttemptResult::Over(None))
            }
            Err(error) if error.is_damage() => Err(self.give_up(id, error.to_string(), 0)),
            Err(error) => Err(AttemptResult::Failed {
                undelivered: DeliveryError::Deferred(error.to_string()),
                tried: 0,
            }),
        }
    }

    fn give_up(&self, id: &str, reason: String, tried: u64) -> AttemptResult {
        self.dead_letter(id, &reason, tried);
        AttemptResult::Over(Some(reason))
    }

    /// Whether an alert has been tried for long enough. The date alone does not decide: a clock can be set. Nor does it
    /// keep for ever what was tried for twice the time.
    fn is_too_old(&self, stored: &StoredAlert, tried: u64) -> bool {
        // Counted from the first try: a machine that was off for a week owes its alerts as many tries as any other.
        let by_date = stored.attempts.first().map_or(0, |attempt| unix_time().saturating_sub(attempt.at));
        let tried = i64::try_from(tried).unwrap_or(i64::MAX);
        tried > self.lifetime && (by_date > self.lifetime || tried > self.lifetime.saturating_mul(2))
    }

    /// One try of one alert.
    fn attempt(
        &self,
        channel: &mut dyn DeliveryChannel,
        steps: &mut dyn DeliveryProgress,
        mut stored: StoredAlert,
        known: &mut QueueState,
    ) -> AttemptResult {
        let id = &stored.alert.id.clone();
        if let Some(to) = known.left.get(id) {
            stored.alert.receiver.to.clone_from(to);
        }
        let outcome = channel.send(&stored.alert, steps);
        let tried = known.tried(&stored, Instant::now());
        match outcome {
            Ok(receipt) => self.settle(&stored, &receipt, known, tried),
            Err(DeliveryError::Rejected(reason)) => self.give_up(id, reason, tried),
            Err(undelivered) if self.is_too_old(&stored, tried) => {
                self.give_up(id, format!("too old; last: {}", undelivered.reason()), tried)
            }
            Err(undelivered) => AttemptResult::Failed { undelivered, tried },
        }
    }

    /// The carrier has taken the alert: takes it out, but for recipients that it has refused.
    fn settle(
        &self,
        stored: &StoredAlert,
        receipt: &Receipt,
        known: &mut QueueState,
        tried: u64,
    ) -> AttemptResult {
        let id = &stored.alert.id;
        let pick = |retry: Retry| {
            let refused = receipt.refused.iter().filter(move |refusal| refusal.retry == retry);
            refused.map(|refusal| refusal.recipient.clone()).collect::<Vec<_>>()
        };
        let (later, never) = (pick(Retry::Later), pick(Retry::Never));
        if let Some(refusal) = receipt.refused.iter().find(|refusal| refusal.retry == Retry::Never) {
            let mut dead = stored.alert.clone();
            dead.id = format!("{id}.refused");
            dead.receiver.to = never;
            let told = self.store.dead_letter_part(&dead, &attempt(&refusal.reason, tried));
            let told = told.err().map(|error| format!(" ({error})")).unwrap_or_default();
            log(&format!(
                "Error sending email: given up for {}: {}{told}",
                dead.receiver.to.join(", "),
                refusal.reason
            ));
        }
        if later.is_empty() {
            self.remove(id);
        } else {
            let mut rest = stored.clone();
            rest.alert.receiver.to = later;
            if let Err(error) = self.store.replace(&rest) {
                log(&format!("{error}: who still has to get the alert is only known in memory"));
                known.left.insert(id.clone(), rest.alert.receiver.to);
            }
            let reasons = receipt.refused.iter().filter(|refusal| refusal.retry == Retry::Later);
            let reason = reasons.map(|refusal| refusal.reason.clone()).collect::<Vec<_>>().join("; ");
            return AttemptResult::Failed { undelivered: DeliveryError::Deferred(reason), tried };
        }
        AttemptResult::Sent {
            subject: stored.alert.subject.clone().unwrap_or_else(|| "(no subject)".to_owned()),
            failures: stored.attempts.len(),
        }
    }

    /// Removes a sent alert. Where that fails, the alert is marked as sent, so that the next deliverer does not send it
    /// again.
    fn remove(&self, id: &str) {
        let Err(error) = self.store.remove_delivered(id) else { return };
        match self.store.mark_sent(id) {
            Ok(()) => {
                log(&format!("{error}: the alert was sent, which is noted; its removal is tried again"));
            }
            Err(second) => log(&format!(
                "{error}: the alert was sent; its removal is tried again. That it was sent cannot be noted ({second}): \
                 whoever delivers next will send it again"
            )),
        }
    }
}
