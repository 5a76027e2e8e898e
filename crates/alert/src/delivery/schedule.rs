//! Which alert to attempt next: [`Schedule`], a queue of alerts for each transport. The machine asks it; pure, time and chance
//! are arguments.
//!
//! A queue attempts one alert at a time.
//!
//! ```text
//!           start_due                     sent: everything of the queue is due
//! waiting ───────────▶ in flight ──┬──▶ (removed)
//!    ▲                             ├──▶ deferred: this alert waits, the queue goes on
//!    └─── its pause is over ───────┴──▶ unreachable: the whole queue waits
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use ironlance_core::time::backoff::Backoff;

/// The pauses after failures in a row.
const RETRY: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(600) };

/// What names a queue: the transport that its alerts share.
pub type QueueKey = String;

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
    /// The jobs in the order in which they are attempted: by failures, then by age.
    order: BTreeSet<(u32, String)>,
    in_flight: Option<String>,
    failures: u32,
    paused_until: Option<Instant>,
}

impl DeliveryQueue {
    fn insert(&mut self, id: &str, job: Job) {
        self.order.insert((job.failures, id.to_owned()));
        self.jobs.insert(id.to_owned(), job);
    }

    fn remove(&mut self, id: &str) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        self.order.remove(&(job.failures, id.to_owned()));
        Some(job)
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
    Deferred,
    /// The channel does not work.
    Unreachable,
}

/// All queues and the alerts in them.
#[derive(Debug, Default)]
pub struct Schedule {
    queues: HashMap<QueueKey, DeliveryQueue>,
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
        self.queues.entry(key.clone()).or_default().insert(id, Job { failures: 0, due: now });
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
    /// first, and of these the oldest; only alerts that are `allowed`.
    pub fn start_due(&mut self, now: Instant, allowed: impl Fn(&str) -> bool) -> Vec<(QueueKey, String)> {
        let mut begun = Vec::new();
        for (key, queue) in &mut self.queues {
            if queue.in_flight.is_some() || queue.paused_until.is_some_and(|until| now < until) {
                continue;
            }
            let is_due = |id: &String| queue.jobs.get(id).is_some_and(|job| job.due <= now) && allowed(id);
            if let Some((_, id)) = queue.order.iter().find(|(_, id)| is_due(id)) {
                queue.in_flight = Some(id.clone());
                begun.push((key.clone(), id.clone()));
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
            ScheduleOutcome::Deferred => {
                (queue.failures, queue.paused_until) = (0, None);
                if let Some(job) = queue.remove(id) {
                    let failures = job.failures + 1;
                    queue.insert(id, Job { failures, due: now + pause(failures, jitter) });
                }
            }
            ScheduleOutcome::Unreachable => {
                queue.failures += 1;
                if let Some(job) = queue.remove(id) {
                    queue.insert(id, Job { failures: job.failures + 1, ..job });
                }
                queue.paused_until = Some(now + pause(queue.failures, jitter));
            }
        }
    }

    /// How long until an alert can be attempted again.
    pub fn time_until_retry(&self, key: &QueueKey, id: &str, now: Instant) -> Option<Duration> {
        let queue = self.queues.get(key)?;
        let due = queue.jobs.get(id)?.due;
        let due = queue.paused_until.map_or(due, |until| until.max(due));
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
        let next = |queue: &DeliveryQueue| {
            if queue.in_flight.is_some() {
                return None;
            }
            let first = queue.jobs.values().map(|job| job.due).min()?;
            Some(queue.paused_until.map_or(first, |until| until.max(first)))
        };
        self.queues.values().filter_map(next).min()
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: ScheduleOutcome = ScheduleOutcome::Done { reached: true };

    /// All alerts are allowed.
    const fn every(_: &str) -> bool {
        true
    }

    fn key(name: &str) -> QueueKey {
        name.to_owned()
    }

    fn schedule(ids: &[&str], now: Instant) -> Schedule {
        let mut schedule = Schedule::default();
        ids.iter().for_each(|id| schedule.add(&key("mail"), id, now));
        schedule
    }

    #[test]
    fn ten_thousand_alerts_for_a_dead_server_make_one_attempt() {
        let now = Instant::now();
        let ids: Vec<String> = (0..10_000).map(|id| format!("{id:05}")).collect();
        let mut schedule = schedule(&ids.iter().map(String::as_str).collect::<Vec<_>>(), now);
        assert_eq!(schedule.start_due(now, every), [(key("mail"), "00000".to_owned())]);
        assert!(schedule.start_due(now, every).is_empty(), "one at a time");
        schedule.finish(&key("mail"), "00000", ScheduleOutcome::Unreachable, now, 0.5);
        assert_eq!(schedule.failures(&key("mail")), 1);
        assert!(schedule.start_due(now, every).is_empty());
        assert_eq!(schedule.next_deadline(), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_next_attempt_takes_another_alert_so_that_a_bad_one_cannot_block_the_rest() {
        let now = Instant::now();
        let mut schedule = schedule(&["1", "2"], now);
        schedule.start_due(now, every);
        schedule.finish(&key("mail"), "1", ScheduleOutcome::Unreachable, now, 0.5);
        assert_eq!(schedule.start_due(now + Duration::from_secs(1), every), [(key("mail"), "2".to_owned())]);
    }

    #[test]
    fn a_success_makes_everything_of_the_queue_due() {
        let now = Instant::now();
        let mut schedule = schedule(&["1", "2"], now);
        schedule.start_due(now, every);
        schedule.finish(&key("mail"), "1", ScheduleOutcome::Deferred, now, 0.5);
        schedule.start_due(now, every);
        schedule.finish(&key("mail"), "2", ScheduleOutcome::Unreachable, now, 0.5);
        let later = now + Duration::from_secs(2);
        schedule.add(&key("mail"), "3", later);
        assert_eq!(schedule.start_due(later, every), [(key("mail"), "3".to_owned())]);
        schedule.finish(&key("mail"), "3", SENT, later, 0.5);
        assert_eq!(schedule.next_deadline(), Some(later));
    }

    #[test]
    fn a_queue_that_hangs_does_not_hold_up_the_others() {
        let now = Instant::now();
        let mut schedule = schedule(&["1"], now);
        schedule.add(&key("sms"), "2", now);
        let mut begun = schedule.start_due(now, every);
        begun.sort();
        assert_eq!(begun, [(key("mail"), "1".to_owned()), (key("sms"), "2".to_owned())]);
        schedule.finish(&key("sms"), "2", SENT, now, 0.5);
        assert!(!schedule.is_empty() && schedule.is_busy());
    }

    #[test]
    fn an_alert_whose_transport_was_corrected_changes_its_queue() {
        let now = Instant::now();
        let mut schedule = schedule(&["1"], now);
        schedule.add(&key("other"), "1", now);
        assert_eq!(schedule.start_due(now, every), [(key("other"), "1".to_owned())]);
    }

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = (1..13).map(|failures| pause(failures, 0.5).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    }

    proptest! {
        #[test]
        fn every_pause_is_within_a_fifth_of_its_step(failures in 1..u32::MAX, jitter in any::<f64>()) {
            let pause = pause(failures, jitter);
            prop_assert!(pause >= Duration::from_millis(800) && pause <= Duration::from_secs(720));
        }

        #[test]
        fn every_alert_is_sent_once_whatever_happens_before(
            outcomes in prop::collection::vec(0_u8..3, 0..60), count in 1_usize..8,
        ) {
            let mut now = Instant::now();
            let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
            let mut schedule = schedule(&ids.iter().map(String::as_str).collect::<Vec<_>>(), now);
            let mut outcomes = outcomes.into_iter();
            let mut sent = Vec::new();
            while let Some(deadline) = schedule.next_deadline() {
                now = now.max(deadline);
                let begun = schedule.start_due(now, every);
                prop_assert_eq!(begun.len(), 1, "a deadline always has something to do");
                let (key, id) = &begun[0];
                let outcome = match outcomes.next() {
                    Some(0) => ScheduleOutcome::Deferred,
                    Some(1) => ScheduleOutcome::Unreachable,
                    _ => SENT,
                };
                schedule.finish(key, id, outcome, now, 0.5);
                if outcome == SENT {
                    sent.push(id.clone());
                }
            }
            sent.sort_by_key(|id| id.parse::<usize>().unwrap());
            prop_assert_eq!(sent, ids);
        }
    }
}
