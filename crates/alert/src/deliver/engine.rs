//! Delivers what waits: one thread decides, one thread for each way carries.
//!
//! All that happens arrives in one inbox: a new alert, the end of a try, the end of the listener. The plan says what
//! to do next; time goes by only while the inbox is empty.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::plan::{Lane, Outcome, Plan};
use super::store::Store;
use crate::alert::Alert;
use crate::channel::{self, Channel, Progress, Receipt, Retry, Undelivered};
use crate::outbox::record::Stored;
use crate::outbox::unix_time;
use crate::route::Transport;
use crate::say;

/// How long an alert is tried, unless `IRONLANCE_OUTBOX_DAYS` says otherwise.
const DAYS: i64 = 3;
/// A day in seconds.
const DAY: i64 = 86_400;

/// How long to wait for the first alert: a listener starts us before it has gathered what to say.
const LINGER: Duration = Duration::from_secs(1);
/// How long until something that could not be read or removed is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What a deliverer can be told.
#[derive(Debug)]
pub enum Input {
    /// These were put into the store; none named means that something was.
    Changed(Vec<String>),
    /// Everything shall be looked at anew and tried at once.
    Nudged,
    /// Nobody needs us any more: finish what is due, and leave the rest.
    Leave,
    /// A try has ended.
    Ended(Lane, String, Verdict),
}

/// How a try has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Sent, to some recipients at least.
    Sent {
        /// What people know it by.
        subject: String,
        /// How often it had failed before.
        failures: usize,
    },
    /// Not to be sent, or not any more; the reason, if it was given up, was said.
    Over(Option<String>),
    /// To be tried again.
    Failed(Undelivered),
    /// It goes another way now.
    Moved,
}

/// How channels are made; tests make others.
pub type Opener = fn(&Transport) -> Box<dyn Channel>;

/// What a deliverer works with.
pub struct Engine {
    /// What waits.
    pub store: Arc<dyn Store>,
    /// How channels are made.
    pub open: Opener,
    /// Is told each step; for people who watch.
    pub progress: fn() -> Box<dyn Progress>,
    /// For how long an alert is tried, in seconds.
    pub lifetime: i64,
}

impl Engine {
    /// A deliverer for a store, by the real channels.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let days = std::env::var("IRONLANCE_OUTBOX_DAYS").ok().and_then(|days| days.parse::<i64>().ok());
        let lifetime = days.filter(|days| *days > 0).unwrap_or(DAYS).saturating_mul(DAY);
        Self { store, open: channel::open, progress: || Box::new(()), lifetime }
    }

    /// Delivers until nothing is left, waiting a moment for the first alert, or until it was told to leave and nothing more is due.
    pub fn run(&self, inbox: &Receiver<Input>, tell: &Sender<Input>) {
        let mut lanes = Lanes { engine: self, workers: HashMap::new(), tell };
        let mut round = Round::default();
        let mut leaving = false;
        self.survey(&mut round);
        round.linger = round.plan.is_empty().then(|| Instant::now() + LINGER);
        loop {
            for (lane, id) in round.plan.begin(Instant::now()) {
                lanes.carry(&lane, id);
            }
            let done = leaving || (round.plan.is_empty() && round.look_again.is_none() && !round.lingers());
            if !round.plan.is_busy() && done {
                // Before the last look: to say goodbye to a server takes a moment in which something may come in.
                lanes.close();
                if !self.has_more(&mut round) {
                    return;
                }
            }
            match wait(inbox, round.next_deadline().filter(|_| !leaving)) {
                Some(Input::Changed(ids)) if ids.is_empty() => self.survey(&mut round),
                Some(Input::Changed(ids)) => self.take_in(&mut round, &ids),
                Some(Input::Nudged) => {
                    self.take_in(&mut round, &self.store.ids());
                    round.plan.all_due(Instant::now());
                }
                Some(Input::Leave) => leaving = true,
                Some(Input::Ended(lane, id, verdict)) => self.ended(&mut round, &lane, &id, verdict),
                None => self.look_again(&mut round),
            }
        }
    }

    /// Whether anything came in that is due now.
    fn has_more(&self, round: &mut Round) -> bool {
        self.survey(round);
        round.plan.next_deadline().is_some_and(|due| due <= Instant::now())
    }

    /// Puts what waits and is not known yet into the plan.
    fn survey(&self, round: &mut Round) {
        let mut ids = self.store.ids();
        ids.retain(|id| !round.plan.knows(id));
        self.take_in(round, &ids);
    }

    /// Puts these into the plan, or into the lane where they belong now. What is damaged goes to the dead; what
    /// cannot be read for another reason is looked at again.
    fn take_in(&self, round: &mut Round, ids: &[String]) {
        let now = Instant::now();
        for id in ids {
            if round.over.contains_key(id) {
                continue;
            }
            match self.store.load(id) {
                Ok(Some(stored)) => {
                    round.linger = None;
                    round.plan.add(&lane(&stored.alert.route.transport), id, now);
                }
                Ok(None) => {}
                Err(error) if error.is_damage() => {
                    self.bury(id, &error.to_string());
                    self.over(round, id, Some(error.to_string()));
                }
                Err(error) => {
                    say(&format!("{error}; trying again"));
                    round.look_again = Some(now + LOOK_AGAIN);
                }
            }
        }
    }

    /// An alert is done with. Should the store still hold it, it must not be sent again: only its removal is tried
    /// again.
    fn over(&self, round: &mut Round, id: &str, reason: Option<String>) {
        if self.store.holds(id) {
            round.over.insert(id.to_owned(), reason);
            round.look_again = Some(Instant::now() + LOOK_AGAIN);
        }
    }

    /// Tries again to remove what is done with and to read what could not be read.
    fn look_again(&self, round: &mut Round) {
        if round.look_again.is_none_or(|at| Instant::now() < at) {
            return;
        }
        round.look_again = None;
        for (id, reason) in std::mem::take(&mut round.over) {
            let gone = match &reason {
                Some(reason) => self.store.bury(&id, unix_time(), reason),
                None => self.store.taken(&id),
            };
            drop(gone);
            self.over(round, &id, reason);
        }
        self.survey(round);
    }

    fn ended(&self, round: &mut Round, lane: &Lane, id: &str, verdict: Verdict) {
        if let Verdict::Sent { .. } | Verdict::Over(_) = &verdict {
            let reason = if let Verdict::Over(reason) = &verdict { reason.clone() } else { None };
            self.over(round, id, reason);
        }
        let plan = &mut round.plan;
        let now = Instant::now();
        let jitter = fastrand::f64();
        match verdict {
            Verdict::Sent { subject, failures } => {
                let lane_failures = plan.failures(lane);
                plan.end(lane, id, Outcome::Done { reached: true }, now, jitter);
                if failures > 0 || lane_failures > 0 {
                    say(&format!("sent after all: {subject}; {} alert(s) waiting", plan.waiting(lane)));
                }
            }
            Verdict::Over(_) => drop(plan.end(lane, id, Outcome::Done { reached: false }, now, jitter)),
            Verdict::Moved => {
                plan.end(lane, id, Outcome::Done { reached: false }, now, jitter);
                self.survey(round);
            }
            Verdict::Failed(undelivered) => {
                let (outcome, reason) = match undelivered {
                    Undelivered::Unreachable(reason) => (Outcome::Unreachable, reason),
                    Undelivered::Deferred(reason) | Undelivered::Rejected(reason) => {
                        (Outcome::Deferred, reason)
                    }
                };
                self.store.note(id, unix_time(), &reason);
                let next = plan.end(lane, id, outcome, now, jitter);
                let pause = next.map_or(Duration::ZERO, |(pause, _)| pause);
                let origin =
                    self.store.load(id).ok().flatten().map(|stored| stored.alert.origin).unwrap_or_default();
                let who: Vec<&str> = origin.split(' ').take(2).collect();
                say(&format!(
                    "Error sending email: {reason}; {} alert(s) waiting, next try in {:.1} s (alert of {})",
                    plan.waiting(lane),
                    pause.as_secs_f64(),
                    who.join(" ")
                ));
            }
        }
    }

    fn bury(&self, id: &str, reason: &str) {
        match self.store.bury(id, unix_time(), reason) {
            Ok(()) => say(&format!("Error sending email: given up{}: {reason}", self.store.hint(id))),
            Err(error) => say(&format!("cannot give up the alert {id} ({reason}): {error}")),
        }
    }

    /// The alert to try, or what to do when there is none to be had.
    fn fetch(&self, own_lane: &Lane, id: &str) -> Result<Stored, Verdict> {
        match self.store.load(id) {
            Ok(Some(stored)) if lane(&stored.alert.route.transport) == *own_lane => Ok(stored),
            Ok(Some(_)) => Err(Verdict::Moved),
            Ok(None) => Err(Verdict::Over(None)),
            Err(error) if error.is_damage() => Err(self.give_up(id, error.to_string())),
            Err(error) => Err(Verdict::Failed(Undelivered::Deferred(error.to_string()))),
        }
    }

    fn give_up(&self, id: &str, reason: String) -> Verdict {
        self.bury(id, &reason);
        Verdict::Over(Some(reason))
    }

    /// One try of one alert.
    ///
    /// `left` holds the recipients of alerts that were sent to some of theirs while the disk refused to note it.
    fn attempt(&self, channel: &mut dyn Channel, mut stored: Stored, left: &mut Left) -> Verdict {
        let id = &stored.alert.id.clone();
        if let Some(to) = left.get(id) {
            stored.alert.route.to.clone_from(to);
        }
        let alert = &stored.alert;
        // Counted from the first try: a machine that was off for a week owes its alerts as many tries as any other.
        let tried_for = stored.attempts.first().map_or(0, |attempt| unix_time() - attempt.at);
        match channel.send(alert, (self.progress)().as_mut()) {
            Ok(receipt) => self.settle(&stored, &receipt, left),
            Err(Undelivered::Rejected(reason)) => self.give_up(id, reason),
            Err(undelivered) if tried_for > self.lifetime => {
                self.give_up(id, format!("too old; last: {}", undelivered.reason()))
            }
            Err(undelivered) => Verdict::Failed(undelivered),
        }
    }

    /// The carrier has taken the alert: takes it out, but for recipients that it has refused.
    fn settle(&self, stored: &Stored, receipt: &Receipt, left: &mut Left) -> Verdict {
        let id = &stored.alert.id;
        let pick = |retry: Retry| {
            let refused = receipt.refused.iter().filter(move |refusal| refusal.retry == retry);
            refused.map(|refusal| refusal.recipient.clone()).collect::<Vec<_>>()
        };
        let (later, never) = (pick(Retry::Later), pick(Retry::Never));
        if let Some(refusal) = receipt.refused.iter().find(|refusal| refusal.retry == Retry::Never) {
            let mut dead = stored.alert.clone();
            dead.id = format!("{id}.refused");
            dead.route.to = never;
            let told = self.store.bury_part(&dead, unix_time(), &refusal.reason);
            let told = told.err().map(|error| format!(" ({error})")).unwrap_or_default();
            say(&format!(
                "Error sending email: given up for {}: {}{told}",
                dead.route.to.join(", "),
                refusal.reason
            ));
        }
        if later.is_empty() {
            if let Err(error) = self.store.taken(id) {
                say(&format!("{error}: the alert was sent; its removal is tried again"));
            }
        } else {
            let mut rest = stored.clone();
            rest.alert.route.to = later;
            if let Err(error) = self.store.replace(&rest) {
                say(&format!("{error}: who still has to get the alert is only known in memory"));
                left.insert(id.clone(), rest.alert.route.to);
            }
            let reasons = receipt.refused.iter().filter(|refusal| refusal.retry == Retry::Later);
            let reason = reasons.map(|refusal| refusal.reason.clone()).collect::<Vec<_>>().join("; ");
            return Verdict::Failed(Undelivered::Deferred(reason));
        }
        Verdict::Sent {
            subject: stored.alert.subject.clone().unwrap_or_else(|| "(no subject)".to_owned()),
            failures: stored.attempts.len(),
        }
    }
}

/// What a deliverer knows while it runs.
#[derive(Default)]
struct Round {
    plan: Plan,
    /// Alerts that are done with and could not be removed; with a reason, they were given up.
    over: HashMap<String, Option<String>>,
    look_again: Option<Instant>,
    /// Until when to stay although nothing has come yet.
    linger: Option<Instant>,
}

impl Round {
    fn next_deadline(&self) -> Option<Instant> {
        self.plan.next_deadline().into_iter().chain(self.look_again).chain(self.linger).min()
    }

    fn lingers(&self) -> bool {
        self.linger.is_some_and(|until| Instant::now() < until)
    }
}

/// The recipients that are left of alerts, by id.
type Left = HashMap<String, Vec<String>>;

/// The threads that carry, one for each lane.
struct Lanes<'a> {
    engine: &'a Engine,
    workers: HashMap<Lane, (Sender<String>, JoinHandle<()>)>,
    tell: &'a Sender<Input>,
}

impl Lanes<'_> {
    fn carry(&mut self, lane: &Lane, id: String) {
        let worker = self.workers.entry(lane.clone()).or_insert_with(|| {
            let (orders, ids) = channel::<String>();
            let (lane, tell) = (lane.clone(), self.tell.clone());
            let engine = Engine { store: Arc::clone(&self.engine.store), ..*self.engine };
            let worker = thread::spawn(move || work(&engine, &lane, &ids, &tell));
            (orders, worker)
        });
        // A worker only ends when its orders do.
        let _ = worker.0.send(id);
    }

    /// Lets idle workers hang up in order, and waits for them: the process may end right after.
    fn close(&mut self) {
        for (_, (orders, worker)) in self.workers.drain() {
            drop(orders);
            // A carrier that broke while it hung up costs nobody an alert.
            let _ = worker.join();
        }
    }
}

fn work(engine: &Engine, lane: &Lane, ids: &Receiver<String>, tell: &Sender<Input>) {
    let mut open: Option<Box<dyn Channel>> = None;
    let mut left = Left::new();
    while let Ok(id) = ids.recv() {
        let verdict = engine.fetch(lane, &id).map_or_else(
            |verdict| verdict,
            |stored| {
                let transport = stored.alert.route.transport.clone();
                let channel = open.get_or_insert_with(|| (engine.open)(&transport));
                // A fault of ours in one carrier must not keep the others from their work.
                let attempt = AssertUnwindSafe(|| engine.attempt(channel.as_mut(), stored, &mut left));
                catch_unwind(attempt).unwrap_or_else(|_| {
                    open = None;
                    Verdict::Failed(Undelivered::Unreachable(format!("internal error with {transport}")))
                })
            },
        );
        if tell.send(Input::Ended(lane.clone(), id, verdict)).is_err() {
            return;
        }
    }
}

/// Alerts of one lane can share a connection; a password that changed makes another.
fn lane(transport: &Transport) -> Lane {
    serde_json::to_string(transport).expect("a transport has only strings for keys")
}

/// The next input, or `None` when the deadline is there.
fn wait(inbox: &Receiver<Input>, deadline: Option<Instant>) -> Option<Input> {
    match deadline {
        // The inbox cannot close: we hold a sender ourselves.
        None => inbox.recv().ok(),
        Some(deadline) => inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok(),
    }
}

/// Sends one alert now, outside of any store, telling each step: for trying a configuration out.
pub fn send_once(alert: &Alert, progress: &mut dyn Progress) -> Result<Receipt, Undelivered> {
    channel::open(&alert.route.transport).send(alert, progress)
}

#[cfg(test)]
mod tests;
