//! The thread of a queue: [`run_queue`] attempts one alert after the other: load it, pass it to the channel, record the result.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::machine::Input;
use super::schedule::{QueueKey, QueueRules};
use super::worker::{AttemptResult, DeliveryWorker, Message, failed_attempt, failure_of};
use crate::address::addresses;
use crate::channel::pace::pace_of;
use crate::channel::{
    DeliveryChannel, DeliveryError, DeliveryProgress, OutgoingAlert, Receipt, RecipientRefusal, Retry,
};
use crate::log;
use crate::outbox::record::{FailedAttempt, StoredAlert};
use crate::outbox::unix_time;
use crate::receiver::Transport;
use crate::render::card::Detail;

/// The queue of a transport: its alerts can share a connection.
pub(super) fn queue_key(transport: &Transport) -> QueueKey {
    let rules = match transport {
        Transport::Sendmail { .. } | Transport::BodyOnly { .. } | Transport::Smtp(_) => QueueRules::default(),
        // What is over must not arrive before what it ends: programs and people read these messages one by one.
        Transport::Channel { channel, .. } => QueueRules { pace: pace_of(channel), is_ordered: true },
    };
    let transport = serde_json::to_string(transport).expect("a transport has only strings for keys");
    QueueKey { transport, rules }
}

/// What the thread of a queue knows of alerts, by their ids.
#[derive(Default)]
struct QueueState {
    /// The recipients left of alerts that were sent to the others, where the disk refused to record it.
    left: HashMap<String, Vec<String>>,
    /// When an alert was first attempted here, and for how long it had been tried before, in seconds.
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

/// Sends `Disconnected` when the thread ends, also by a panic.
struct DisconnectGuard<'a>(&'a Sender<Message>);

impl Drop for DisconnectGuard<'_> {
    fn drop(&mut self) {
        // The receiver is closed once the deliverer has ended.
        let _ = self.0.send(Input::Disconnected.into());
    }
}

/// How often, at most, progress is reported to the machine, which only asks whether there was any for minutes.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// Passes each step on, and reports progress to the machine.
struct ProgressReporter<'a> {
    watcher: Box<dyn DeliveryProgress>,
    queue: &'a QueueKey,
    tell: &'a Sender<Message>,
    last_told: Instant,
}

impl DeliveryProgress for ProgressReporter<'_> {
    fn step(&mut self, what: &str) {
        if self.last_told.elapsed() >= PROGRESS_INTERVAL {
            self.last_told = Instant::now();
            let _ = self.tell.send(Input::Progress(self.queue.clone()).into());
        }
        self.watcher.step(what);
    }
}

/// Attempts the alerts whose ids come in, and closes the connection when the channel of ids is closed.
pub(super) fn run_queue(
    worker: &DeliveryWorker,
    queue: &QueueKey,
    ids: &Receiver<String>,
    tell: &Sender<Message>,
) {
    // Declared first, so that it is dropped last: after the connection.
    let _guard = DisconnectGuard(tell);
    let mut open: Option<Box<dyn DeliveryChannel>> = None;
    let mut state = QueueState::default();
    loop {
        let id = match ids.recv_timeout(worker.idle) {
            Ok(id) => id,
            Err(RecvTimeoutError::Timeout) => {
                open = None;
                // The connection is closed: there is no reason to wake before the next id.
                let Ok(id) = ids.recv() else { return };
                id
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let result = worker.fetch(queue, &id).map_or_else(
            |result| result,
            |stored| {
                let transport = stored.alert.receiver.transport.clone();
                let channel = open.get_or_insert_with(|| (worker.open)(&transport));
                let mut steps =
                    ProgressReporter { watcher: (worker.progress)(), queue, tell, last_told: Instant::now() };
                let (tried, detail) = (state.tried(&stored, Instant::now()), stored.detail());
                // A panic in one channel must not stop the others.
                let attempt =
                    AssertUnwindSafe(|| worker.attempt(channel.as_mut(), &mut steps, stored, &mut state));
                catch_unwind(attempt).unwrap_or_else(|_| {
                    open = None;
                    let reason = format!("internal error with {transport}");
                    worker.failed(&id, DeliveryError::unreachable(reason), tried, detail)
                })
            },
        );
        if !matches!(result, AttemptResult::Failed(_)) {
            state.since.remove(&id);
        }
        if tell.send(Message::Finished(queue.clone(), id, result)).is_err() {
            return;
        }
    }
}

/// How old a message is when its reader is told that it is late, in seconds.
const LATE: i64 = 300;

/// Sends an alert, and sends less of it where the channel does not take the content: all of a card, without markup, its
/// title. Gives what the next attempt begins with as well.
fn send_down_the_ladder(
    channel: &mut dyn DeliveryChannel,
    stored: &StoredAlert,
    steps: &mut dyn DeliveryProgress,
) -> (Result<Receipt, DeliveryError>, Detail) {
    let alert = &stored.alert;
    let age = unix_time().saturating_sub(alert.created);
    let last = stored.attempts.last().filter(|_| age >= LATE);
    let late = last.map(|attempt| (age.unsigned_abs(), attempt.reason.as_str()));
    let mut detail = stored.detail();
    loop {
        let outcome = channel.send(&OutgoingAlert { alert, detail, late }, steps);
        match (outcome, detail.plainer()) {
            (Err(DeliveryError::Unfit { reason }), Some(plainer)) => {
                log(&format!("{}: the message is sent plainer: {reason}", alert.receiver));
                detail = plainer;
            }
            (outcome, _) => return (outcome, detail),
        }
    }
}

impl DeliveryWorker {
    /// The alert to attempt, or the result where it cannot or need not be attempted.
    fn fetch(&self, own_queue: &QueueKey, id: &str) -> Result<StoredAlert, AttemptResult> {
        match self.store.load(id) {
            Ok(Some(stored)) if queue_key(&stored.alert.receiver.transport) != *own_queue => {
                Err(AttemptResult::Moved)
            }
            Ok(Some(stored)) if stored.sent => {
                // If this fails as well, it is tried again later.
                let _ = self.store.remove_delivered(id);
                Err(AttemptResult::Closed(None))
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
                log(&format!("the alert {id} was not sent: its file was removed from the outbox"));
                Err(AttemptResult::Closed(None))
            }
            Err(error) if error.is_damage() => Err(self.dead_letter_alert(id, error.to_string(), 0)),
            Err(error) => Err(self.failed(id, DeliveryError::deferred(error.to_string()), 0, Detail::Rich)),
        }
    }

    /// Records an attempt that failed. `tried` is for how long the alert has been tried, in seconds; `detail` what the next
    /// attempt begins with.
    fn failed(&self, id: &str, undelivered: DeliveryError, tried: u64, detail: Detail) -> AttemptResult {
        let attempt = FailedAttempt { detail, ..failed_attempt(undelivered.reason(), tried) };
        self.store.record_attempt(id, &attempt);
        AttemptResult::Failed(undelivered)
    }

    fn dead_letter_alert(&self, id: &str, reason: String, tried: u64) -> AttemptResult {
        self.dead_letter(id, &reason, tried);
        AttemptResult::Closed(Some(reason))
    }

    /// Whether an alert has been tried for long enough: by the date and by a monotonic clock, as the date can be set; by the
    /// monotonic clock alone after twice the time.
    fn is_too_old(&self, stored: &StoredAlert, tried: u64) -> bool {
        // Counted from the first attempt: the time in which the machine was off does not count.
        let by_date = stored.attempts.first().map_or(0, |attempt| unix_time().saturating_sub(attempt.at));
        let tried = i64::try_from(tried).unwrap_or(i64::MAX);
        tried > self.lifetime && (by_date > self.lifetime || tried > self.lifetime.saturating_mul(2))
    }

    /// One attempt of one alert.
    fn attempt(
        &self,
        channel: &mut dyn DeliveryChannel,
        steps: &mut dyn DeliveryProgress,
        mut stored: StoredAlert,
        state: &mut QueueState,
    ) -> AttemptResult {
        let id = &stored.alert.id.clone();
        if let Some(to) = state.left.get(id) {
            stored.alert.receiver.to.clone_from(to);
        }
        let (outcome, detail) = send_down_the_ladder(channel, &stored, steps);
        let tried = state.tried(&stored, Instant::now());
        match outcome {
            Ok(receipt) => self.finish_sent(&stored, &receipt, state, tried),
            Err(DeliveryError::Rejected { reason } | DeliveryError::Unfit { reason }) => {
                self.dead_letter_alert(id, reason, tried)
            }
            Err(undelivered) if self.is_too_old(&stored, tried) => {
                self.dead_letter_alert(id, format!("too old; last: {}", undelivered.reason()), tried)
            }
            Err(undelivered) => self.failed(id, undelivered, tried, detail),
        }
    }

    /// The channel has taken the alert: removes it, but for recipients that were refused.
    fn finish_sent(
        &self,
        stored: &StoredAlert,
        receipt: &Receipt,
        state: &mut QueueState,
        tried: u64,
    ) -> AttemptResult {
        let id = &stored.alert.id;
        let refused = receipt.refused.iter();
        let (later, never): (Vec<_>, Vec<_>) = refused.partition(|refusal| refusal.retry == Retry::Later);
        let recipients = |refusals: &[&RecipientRefusal]| {
            refusals.iter().map(|refusal| refusal.recipient.clone()).collect::<Vec<_>>()
        };
        let mut served = stored.alert.clone();
        if !receipt.refused.is_empty() {
            served.receiver.to = addresses(&served.receiver.to);
            served.receiver.to.retain(|to| receipt.refused.iter().all(|refusal| refusal.recipient != *to));
        }
        self.store.note_taken(&served, &receipt.answer);
        if let Some(refusal) = never.first() {
            let mut dead = stored.alert.clone();
            dead.id = format!("{id}.refused");
            dead.receiver.to = recipients(&never);
            let error = self.store.dead_letter_part(&dead, &failed_attempt(&refusal.reason, tried));
            let error = error.err().map(|error| format!(" ({error})")).unwrap_or_default();
            log(&format!("{}given up: {}{error}", failure_of(Some(&dead)), refusal.reason));
        }
        if !later.is_empty() {
            let mut rest = stored.clone();
            rest.alert.receiver.to = recipients(&later);
            if let Err(error) = self.store.set_recipients(&rest) {
                log(&format!("{error}: who still has to get the alert is only known in memory"));
                state.left.insert(id.clone(), rest.alert.receiver.to);
            }
            let reasons: Vec<&str> = later.iter().map(|refusal| refusal.reason.as_str()).collect();
            return self.failed(id, DeliveryError::deferred(reasons.join("; ")), tried, stored.detail());
        }
        self.remove(id);
        AttemptResult::Sent {
            subject: stored.alert.subject.clone().unwrap_or_else(|| "(no subject)".to_owned()),
            receiver: stored.alert.receiver.to_string(),
            failures: stored.attempts.len(),
        }
    }

    /// Removes a sent alert. Where that fails, it is marked as sent, so that no deliverer sends it again.
    fn remove(&self, id: &str) {
        let Err(error) = self.store.remove_delivered(id) else { return };
        match self.store.mark_sent(id) {
            Ok(()) => {
                log(&format!("{error}: the alert was sent, which is noted; its removal is tried again"));
            }
            Err(second) => log(&format!(
                "{error}: the alert was sent; its removal is tried again. That it was sent cannot be noted ({second}): \
                 the next deliverer will send it again"
            )),
        }
    }
}
