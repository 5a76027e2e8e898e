//! Which alert to attempt next: [`Schedule`], a queue of alerts for each transport. The machine asks it; pure, time and chance
//! are arguments.
//!
//! A queue attempts one alert at a time, and no faster than its pace.
//!
//! ```text
//!           start_due                     sent: everything of the queue is due
//! waiting ───────────▶ in flight ──┬──▶ (removed)
//!    ▲                             ├──▶ deferred: this alert waits, the queue goes on
//!    └─── its pause is over ───────┴──▶ unreachable: the whole queue waits
//! ```
//!
//! A queue that is `is_ordered` attempts strictly by age: where its first alert waits, all wait. Others attempt the alert with
//! the fewest failures first, so that a bad one does not hold up the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use ironlance_core::time::backoff::Backoff;

use crate::channel::pace::PaceLimit;

/// The pauses after failures in a row.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(600) };

/// The longest time that a carrier's own word delays the next attempt.
const MAX_AFTER: Duration = Duration::from_secs(3600);

/// What names a queue: the transport that its alerts share. The rules follow from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueKey {
    /// The transport, written out.
    pub transport: String,
    /// How its alerts are attempted.
    pub rules: QueueRules,
}

/// How the alerts of a queue are attempted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueRules {
    /// How many attempts there may be in what time; all limits hold.
    pub pace: &'static [PaceLimit],
    /// Strictly by age: what ends an incident must not overtake what opened it.
    pub is_ordered: bool,
}

/// The pause after the given number of failures in a row. `jitter`, a random number from 0 to 1, moves it by up to a fifth
/// either way, so that the clients of one server do not come at the same moment.
pub(crate) fn pause(failures: u32, jitter: f64) -> Duration {
    RETRY.pause(failures).mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

#[derive(Debug)]
struct Job {
    failures: u32,
    due: Instant,
}

#[derive(Debug, Default)]
struct DeliveryQueue {
    jobs: BTreeMap<String, Job>,
    rules: QueueRules,
    /// The jobs in the order in which they are attempted: by failures (all zero where the queue is ordered), then by age.
    order: BTreeSet<(u32, AgeOrder)>,
    in_flight: Option<String>,
    failures: u32,
    paused_until: Option<Instant>,
}

/// An id that is compared by age: ids count, and a number with more digits is younger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct AgeOrder {
    key: Vec<(usize, String)>,
    id: String,
}

impl AgeOrder {
    fn of(id: &str) -> Self {
        // Runs of digits by their length without zeros in front; what is between them as it is.
        let mut key: Vec<(usize, String)> = Vec::new();
        let mut was_digit = None;
        for character in id.chars() {
            let is_digit = character.is_ascii_digit();
            match key.last_mut().filter(|_| was_digit == Some(is_digit)) {
                Some((_, run)) => run.push(character),
                None => key.push((0, character.to_string())),
            }
            was_digit = Some(is_digit);
        }
        for (length, run) in key.iter_mut().filter(|(_, run)| run.starts_with(|c: char| c.is_ascii_digit())) {
            *run = run.trim_start_matches('0').to_owned();
            *length = run.len();
        }
        Self { key, id: id.to_owned() }
    }
}

impl DeliveryQueue {
    /// Where a job stands in the order.
    fn place(&self, id: &str, job: &Job) -> (u32, AgeOrder) {
        (if self.rules.is_ordered { 0 } else { job.failures }, AgeOrder::of(id))
    }

    fn insert(&mut self, id: &str, job: Job) {
        self.order.insert(self.place(id, &job));
        self.jobs.insert(id.to_owned(), job);
    }

    fn remove(&mut self, id: &str) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        self.order.remove(&self.place(id, &job));
        Some(job)
    }

    /// The job to attempt next: the first that is due and allowed; of an ordered queue only the first.
    fn next_job(&self, now: Instant, allowed: impl Fn(&str) -> bool) -> Option<&str> {
        let candidates = if self.rules.is_ordered { 1 } else { usize::MAX };
        let is_due = |id: &str| self.jobs.get(id).is_some_and(|job| job.due <= now) && allowed(id);
        self.order.iter().take(candidates).map(|(_, order)| order.id.as_str()).find(|id| is_due(id))
    }

    /// When a job is due, without pauses of the queue.
    fn first_due(&self) -> Option<Instant> {
        if self.rules.is_ordered {
            let (_, first) = self.order.first()?;
            return self.jobs.get(&first.id).map(|job| job.due);
        }
        self.jobs.values().map(|job| job.due).min()
    }
}

/// The times of the last attempts of a queue with a pace. It is kept when the queue is empty.
#[derive(Debug, Default)]
struct PaceLog(VecDeque<Instant>);

impl PaceLog {
    fn note(&mut self, pace: &[PaceLimit], now: Instant) {
        self.0.push_back(now);
        let most = pace.iter().map(|limit| limit.count).max().unwrap_or(0);
        while self.0.len() > most {
            self.0.pop_front();
        }
    }

    /// When the next attempt may begin, if that is not at once.
    fn free_at(&self, pace: &[PaceLimit]) -> Option<Instant> {
        let of_limit = |limit: &PaceLimit| {
            let nth_last = self.0.len().checked_sub(limit.count)?;
            self.0.get(nth_last).map(|begun| *begun + limit.within)
        };
        pace.iter().filter_map(of_limit).max()
    }
}

/// What an attempt means for the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleOutcome {
    /// The alert is no longer in the outbox: sent, a dead letter, or removed.
    Done {
        /// Whether the channel has shown that it works.
        reached: bool,
    },
    /// The channel works and deferred this alert.
    Deferred {
        /// The earliest next attempt, if the channel named one.
        after: Option<Duration>,
    },
    /// The channel does not work.
    Unreachable {
        /// The earliest next attempt, if the channel named one.
        after: Option<Duration>,
    },
}

/// The pause after failures in a row, and not before the channel's own word.
fn pause_after(failures: u32, jitter: f64, after: Option<Duration>) -> Duration {
    pause(failures, jitter).max(after.unwrap_or_default().min(MAX_AFTER))
}

/// All queues and the alerts in them.
#[derive(Debug, Default)]
pub struct Schedule {
    queues: HashMap<QueueKey, DeliveryQueue>,
    pace_logs: HashMap<QueueKey, PaceLog>,
}

impl Schedule {
    /// Adds an alert that is due at once. A known one stays as it is, unless its queue changed.
    pub fn add(&mut self, key: &QueueKey, id: &str, now: Instant) {
        for (own, queue) in &mut self.queues {
            if queue.in_flight.as_deref() == Some(id) || (own == key && queue.jobs.contains_key(id)) {
                return;
            }
            queue.remove(id);
        }
        let queue = self.queues.entry(key.clone()).or_default();
        queue.rules = key.rules;
        queue.insert(id, Job { failures: 0, due: now });
    }

    /// When the pace of a queue allows the next attempt, if that is not at once.
    fn pace_free_at(&self, key: &QueueKey) -> Option<Instant> {
        self.pace_logs.get(key)?.free_at(key.rules.pace)
    }

    /// When a queue may attempt anything: its pause is over and its pace allows it.
    fn free_at(&self, key: &QueueKey, queue: &DeliveryQueue) -> Option<Instant> {
        queue.paused_until.max(self.pace_free_at(key))
    }

    /// Whether an alert is in a queue.
    pub fn contains(&self, id: &str) -> bool {
        self.queues.values().any(|queue| queue.jobs.contains_key(id))
    }

    /// Removes an alert, unless it is in flight.
    pub fn remove(&mut self, id: &str) {
        for queue in self.queues.values_mut().filter(|queue| queue.in_flight.as_deref() != Some(id)) {
            queue.remove(id);
        }
        self.queues.retain(|_, queue| !queue.jobs.is_empty());
    }

    /// Starts the attempts that are due: one for each queue with none in flight, the alert with the fewest failures
    /// first, and of these the oldest; of an ordered queue the oldest. Only alerts that are `allowed`.
    pub fn start_due(&mut self, now: Instant, allowed: impl Fn(&str) -> bool) -> Vec<(QueueKey, String)> {
        let next = |(key, queue): (&QueueKey, &DeliveryQueue)| {
            let is_free = self.free_at(key, queue).is_none_or(|at| at <= now);
            let id = queue.next_job(now, &allowed).filter(|_| is_free && queue.in_flight.is_none())?;
            Some((key.clone(), id.to_owned()))
        };
        let begun: Vec<_> = self.queues.iter().filter_map(next).collect();
        for (key, id) in &begun {
            if let Some(queue) = self.queues.get_mut(key) {
                queue.in_flight = Some(id.clone());
            }
            if !key.rules.pace.is_empty() {
                self.pace_logs.entry(key.clone()).or_default().note(key.rules.pace, now);
            }
        }
        begun
    }

    /// Ends an attempt.
    pub fn finish(&mut self, key: &QueueKey, id: &str, outcome: ScheduleOutcome, now: Instant, jitter: f64) {
        let Some(queue) = self.queues.get_mut(key) else { return };
        queue.in_flight = None;
        match outcome {
            ScheduleOutcome::Done { reached } => {
                queue.remove(id);
                if reached && queue.failures > 0 {
                    queue.jobs.values_mut().for_each(|job| job.due = now);
                }
                if reached {
                    (queue.failures, queue.paused_until) = (0, None);
                }
                if queue.jobs.is_empty() {
                    self.queues.remove(key);
                }
            }
            ScheduleOutcome::Deferred { after } => {
                (queue.failures, queue.paused_until) = (0, None);
                if let Some(job) = queue.remove(id) {
                    let failures = job.failures + 1;
                    queue.insert(id, Job { failures, due: now + pause_after(failures, jitter, after) });
                }
            }
            ScheduleOutcome::Unreachable { after } => {
                queue.failures += 1;
                if let Some(job) = queue.remove(id) {
                    queue.insert(id, Job { failures: job.failures + 1, ..job });
                }
                queue.paused_until = Some(now + pause_after(queue.failures, jitter, after));
            }
        }
    }

    /// How long until an alert can be attempted again.
    pub fn time_until_retry(&self, key: &QueueKey, id: &str, now: Instant) -> Option<Duration> {
        let queue = self.queues.get(key)?;
        let due = queue.jobs.get(id)?.due;
        let due = self.free_at(key, queue).map_or(due, |at| at.max(due));
        Some(due.saturating_duration_since(now))
    }

    /// The failures of a queue in a row.
    pub fn failures(&self, key: &QueueKey) -> u32 {
        self.queues.get(key).map_or(0, |queue| queue.failures)
    }

    /// The number of alerts in a queue.
    pub fn queue_len(&self, key: &QueueKey) -> usize {
        self.queues.get(key).map_or(0, |queue| queue.jobs.len())
    }

    /// Makes every alert due now.
    pub fn make_all_due(&mut self, now: Instant) {
        for queue in self.queues.values_mut() {
            queue.paused_until = None;
            queue.jobs.values_mut().for_each(|job| job.due = now);
        }
    }

    /// When the next attempt is due; `None` when nothing waits or all queues have an attempt in flight.
    pub fn next_deadline(&self) -> Option<Instant> {
        let next = |(key, queue): (&QueueKey, &DeliveryQueue)| {
            let first = queue.first_due().filter(|_| queue.in_flight.is_none())?;
            Some(self.free_at(key, queue).map_or(first, |at| at.max(first)))
        };
        self.queues.iter().filter_map(next).min()
    }

    /// Whether an attempt of this alert is in flight.
    pub fn is_in_flight(&self, id: &str) -> bool {
        self.queues.values().any(|queue| queue.in_flight.as_deref() == Some(id))
    }

    /// Whether any attempt is in flight.
    pub fn is_busy(&self) -> bool {
        self.queues.values().any(|queue| queue.in_flight.is_some())
    }

    /// Whether no alert is left.
    pub fn is_empty(&self) -> bool {
        self.queues.values().all(|queue| queue.jobs.is_empty())
    }
}

#[cfg(test)]
mod tests;
