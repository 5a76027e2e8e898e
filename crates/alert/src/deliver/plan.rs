//! Which alert to try next: pure, time and chance are arguments.
//!
//! Alerts that go the same way form a lane; a lane tries one alert at a time.
//!
//! ```text
//!            begin                      sent: everything of the lane is due
//! waiting ───────────▶ under way ──┬──▶ (gone)
//!    ▲                             ├──▶ put off: this alert waits, the lane goes on
//!    └──────── its pause is over ──┴──▶ unreachable: the whole lane waits
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::backoff::pause;

/// A way that alerts go: all that share a transport.
pub type Lane = String;

#[derive(Debug)]
struct Job {
    failures: u32,
    due: Instant,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: BTreeMap<String, Job>,
    /// The jobs in the order in which they are tried: by failures, then by age.
    order: BTreeSet<(u32, String)>,
    under_way: Option<String>,
    failures: u32,
    closed_until: Option<Instant>,
}

impl Queue {
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

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The alert is out of the outbox: sent, dead, or gone.
    Done {
        /// Whether the carrier has shown that it works.
        reached: bool,
    },
    /// The carrier works and put this alert off.
    Deferred,
    /// The carrier does not work.
    Unreachable,
}

/// All lanes and what waits in them.
#[derive(Debug, Default)]
pub struct Plan {
    lanes: HashMap<Lane, Queue>,
}

impl Plan {
    /// Adds an alert that is due at once; one that is known already stays as it is, unless it changed its lane.
    pub fn add(&mut self, lane: &Lane, id: &str, now: Instant) {
        for (name, queue) in &mut self.lanes {
            if queue.under_way.as_deref() == Some(id) || (name == lane && queue.jobs.contains_key(id)) {
                return;
            }
            queue.remove(id);
        }
        self.lanes.entry(lane.clone()).or_default().insert(id, Job { failures: 0, due: now });
    }

    /// Whether an alert is in a lane.
    pub fn knows(&self, id: &str) -> bool {
        self.lanes.values().any(|queue| queue.jobs.contains_key(id))
    }

    /// Takes an alert out that is not under way; it is no longer ours to send.
    pub fn forget(&mut self, id: &str) {
        for queue in self.lanes.values_mut().filter(|queue| queue.under_way.as_deref() != Some(id)) {
            queue.remove(id);
        }
        self.lanes.retain(|_, queue| !queue.jobs.is_empty());
    }

    /// The tries that can begin now: at most one for each lane that is not at one, the alert that failed least
    /// first, and of these the oldest. Only alerts that `may` allows are begun.
    pub fn begin(&mut self, now: Instant, may: impl Fn(&str) -> bool) -> Vec<(Lane, String)> {
        let mut begun = Vec::new();
        for (lane, queue) in &mut self.lanes {
            if queue.under_way.is_some() || queue.closed_until.is_some_and(|until| now < until) {
                continue;
            }
            let is_due = |id: &String| queue.jobs.get(id).is_some_and(|job| job.due <= now) && may(id);
            if let Some((_, id)) = queue.order.iter().find(|(_, id)| is_due(id)) {
                queue.under_way = Some(id.clone());
                begun.push((lane.clone(), id.clone()));
            }
        }
        begun
    }

    /// A try has ended. Gives the pause that follows for the alert or the lane, if any, and how often it has failed.
    pub fn end(
        &mut self,
        lane: &Lane,
        id: &str,
        outcome: Outcome,
        now: Instant,
        jitter: f64,
    ) -> Option<(Duration, u32)> {
        let queue = self.lanes.get_mut(lane)?;
        queue.under_way = None;
        match outcome {
            Outcome::Done { reached } => {
                queue.remove(id);
                if reached && queue.failures > 0 {
                    queue.jobs.values_mut().for_each(|job| job.due = now);
                }
                if reached {
                    (queue.failures, queue.closed_until) = (0, None);
                }
                if queue.jobs.is_empty() {
                    self.lanes.remove(lane);
                }
                None
            }
            Outcome::Deferred => {
                (queue.failures, queue.closed_until) = (0, None);
                let failures = queue.remove(id)?.failures + 1;
                let pause = pause(failures, jitter);
                queue.insert(id, Job { failures, due: now + pause });
                Some((pause, failures))
            }
            Outcome::Unreachable => {
                queue.failures += 1;
                if let Some(job) = queue.remove(id) {
                    queue.insert(id, Job { failures: job.failures + 1, ..job });
                }
                let pause = pause(queue.failures, jitter);
                queue.closed_until = Some(now + pause);
                Some((pause, queue.failures))
            }
        }
    }

    /// How long until an alert of a lane can be tried again.
    pub fn pause_of(&self, lane: &Lane, id: &str, now: Instant) -> Option<Duration> {
        let queue = self.lanes.get(lane)?;
        let due = queue.jobs.get(id)?.due;
        let due = queue.closed_until.map_or(due, |until| until.max(due));
        Some(due.saturating_duration_since(now))
    }

    /// How often a lane has failed in a row.
    pub fn failures(&self, lane: &Lane) -> u32 {
        self.lanes.get(lane).map_or(0, |queue| queue.failures)
    }

    /// How many alerts wait in a lane.
    pub fn waiting(&self, lane: &Lane) -> usize {
        self.lanes.get(lane).map_or(0, |queue| queue.jobs.len())
    }

    /// Lets everything be tried at once.
    pub fn all_due(&mut self, now: Instant) {
        for queue in self.lanes.values_mut() {
            queue.closed_until = None;
            queue.jobs.values_mut().for_each(|job| job.due = now);
        }
    }

    /// When the next try is due; `None` when nothing waits or all that waits is under way.
    pub fn next_deadline(&self) -> Option<Instant> {
        let lane = |queue: &Queue| {
            if queue.under_way.is_some() {
                return None;
            }
            let first = queue.jobs.values().map(|job| job.due).min()?;
            Some(queue.closed_until.map_or(first, |until| until.max(first)))
        };
        self.lanes.values().filter_map(lane).min()
    }

    /// Whether this alert is being tried.
    pub fn is_under_way(&self, id: &str) -> bool {
        self.lanes.values().any(|queue| queue.under_way.as_deref() == Some(id))
    }

    /// Whether a try is under way.
    pub fn is_busy(&self) -> bool {
        self.lanes.values().any(|queue| queue.under_way.is_some())
    }

    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        self.lanes.values().all(|queue| queue.jobs.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: Outcome = Outcome::Done { reached: true };

    /// Every alert may be tried.
    const fn every(_: &str) -> bool {
        true
    }

    fn lane(name: &str) -> Lane {
        name.to_owned()
    }

    fn plan(ids: &[&str], now: Instant) -> Plan {
        let mut plan = Plan::default();
        ids.iter().for_each(|id| plan.add(&lane("mail"), id, now));
        plan
    }

    #[test]
    fn ten_thousand_alerts_for_a_dead_server_make_one_try() {
        let now = Instant::now();
        let ids: Vec<String> = (0..10_000).map(|id| format!("{id:05}")).collect();
        let mut plan = plan(&ids.iter().map(String::as_str).collect::<Vec<_>>(), now);
        assert_eq!(plan.begin(now, every), [(lane("mail"), "00000".to_owned())]);
        assert!(plan.begin(now, every).is_empty(), "one at a time");
        let pause = plan.end(&lane("mail"), "00000", Outcome::Unreachable, now, 0.5);
        assert_eq!(pause, Some((Duration::from_secs(1), 1)));
        assert!(plan.begin(now, every).is_empty());
        assert_eq!(plan.next_deadline(), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_next_try_takes_another_alert_so_that_a_bad_one_cannot_block_the_rest() {
        let now = Instant::now();
        let mut plan = plan(&["1", "2"], now);
        plan.begin(now, every);
        plan.end(&lane("mail"), "1", Outcome::Unreachable, now, 0.5);
        assert_eq!(plan.begin(now + Duration::from_secs(1), every), [(lane("mail"), "2".to_owned())]);
    }

    #[test]
    fn a_success_makes_everything_of_the_lane_due() {
        let now = Instant::now();
        let mut plan = plan(&["1", "2"], now);
        plan.begin(now, every);
        plan.end(&lane("mail"), "1", Outcome::Deferred, now, 0.5);
        plan.begin(now, every);
        plan.end(&lane("mail"), "2", Outcome::Unreachable, now, 0.5);
        let later = now + Duration::from_secs(2);
        plan.add(&lane("mail"), "3", later);
        assert_eq!(plan.begin(later, every), [(lane("mail"), "3".to_owned())]);
        plan.end(&lane("mail"), "3", SENT, later, 0.5);
        assert_eq!(plan.next_deadline(), Some(later));
    }

    #[test]
    fn a_lane_that_hangs_does_not_hold_up_the_others() {
        let now = Instant::now();
        let mut plan = plan(&["1"], now);
        plan.add(&lane("sms"), "2", now);
        let mut begun = plan.begin(now, every);
        begun.sort();
        assert_eq!(begun, [(lane("mail"), "1".to_owned()), (lane("sms"), "2".to_owned())]);
        plan.end(&lane("sms"), "2", SENT, now, 0.5);
        assert!(!plan.is_empty() && plan.is_busy());
    }

    #[test]
    fn an_alert_whose_transport_was_corrected_changes_its_lane() {
        let now = Instant::now();
        let mut plan = plan(&["1"], now);
        plan.add(&lane("other"), "1", now);
        assert_eq!(plan.begin(now, every), [(lane("other"), "1".to_owned())]);
    }

    proptest! {
        #[test]
        fn every_alert_is_sent_once_whatever_happens_before(
            outcomes in prop::collection::vec(0_u8..3, 0..60), count in 1_usize..8,
        ) {
            let mut now = Instant::now();
            let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
            let mut plan = plan(&ids.iter().map(String::as_str).collect::<Vec<_>>(), now);
            let mut outcomes = outcomes.into_iter();
            let mut sent = Vec::new();
            while let Some(deadline) = plan.next_deadline() {
                now = now.max(deadline);
                let begun = plan.begin(now, every);
                prop_assert_eq!(begun.len(), 1, "a deadline always has something to do");
                let (lane, id) = &begun[0];
                let outcome = match outcomes.next() {
                    Some(0) => Outcome::Deferred,
                    Some(1) => Outcome::Unreachable,
                    _ => SENT,
                };
                plan.end(lane, id, outcome, now, 0.5);
                if outcome == SENT {
                    sent.push(id.clone());
                }
            }
            sent.sort_by_key(|id| id.parse::<usize>().unwrap());
            prop_assert_eq!(sent, ids);
        }
    }
}
