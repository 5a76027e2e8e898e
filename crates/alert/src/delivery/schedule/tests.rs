//! The schedule: order, pauses and paces, with times as arguments.

use super::*;
use proptest::prelude::*;

const SENT: ScheduleOutcome = ScheduleOutcome::Done { reached: true };
const DEFERRED: ScheduleOutcome = ScheduleOutcome::Deferred { after: None };
const UNREACHABLE: ScheduleOutcome = ScheduleOutcome::Unreachable { after: None };

/// All alerts are allowed.
const fn every(_: &str) -> bool {
    true
}

fn key(name: &str) -> QueueKey {
    QueueKey { transport: name.to_owned(), rules: QueueRules::default() }
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
    schedule.finish(&key("mail"), "00000", UNREACHABLE, now, 0.5);
    assert_eq!(schedule.failures(&key("mail")), 1);
    assert!(schedule.start_due(now, every).is_empty());
    assert_eq!(schedule.next_deadline(), Some(now + Duration::from_secs(1)));
}

#[test]
fn the_next_attempt_takes_another_alert_so_that_a_bad_one_cannot_block_the_rest() {
    let now = Instant::now();
    let mut schedule = schedule(&["1", "2"], now);
    schedule.start_due(now, every);
    schedule.finish(&key("mail"), "1", UNREACHABLE, now, 0.5);
    assert_eq!(schedule.start_due(now + Duration::from_secs(1), every), [(key("mail"), "2".to_owned())]);
}

#[test]
fn a_success_makes_everything_of_the_queue_due() {
    let now = Instant::now();
    let mut schedule = schedule(&["1", "2"], now);
    schedule.start_due(now, every);
    schedule.finish(&key("mail"), "1", DEFERRED, now, 0.5);
    schedule.start_due(now, every);
    schedule.finish(&key("mail"), "2", UNREACHABLE, now, 0.5);
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

const SECOND: Duration = Duration::from_secs(1);
const PACE: &[PaceLimit] =
    &[PaceLimit { count: 2, within: SECOND }, PaceLimit { count: 3, within: Duration::from_secs(60) }];

fn ruled(rules: QueueRules) -> QueueKey {
    QueueKey { transport: "ruled".to_owned(), rules }
}

#[test]
fn a_pace_holds_attempts_back_even_after_the_queue_was_empty() {
    let start = Instant::now();
    let key = ruled(QueueRules { pace: PACE, is_ordered: false });
    let mut schedule = Schedule::default();
    let mut now = start;
    let mut begun = Vec::new();
    for id in 0..5 {
        schedule.add(&key, &id.to_string(), now);
        now = now.max(schedule.next_deadline().unwrap());
        let attempts = schedule.start_due(now, every);
        assert_eq!(attempts, [(key.clone(), id.to_string())]);
        begun.push((now - start).as_secs());
        schedule.finish(&key, &id.to_string(), SENT, now, 0.5);
        assert!(schedule.is_empty());
    }
    assert_eq!(begun, [0, 0, 1, 60, 60]);
}

#[test]
fn the_word_of_a_carrier_delays_the_next_attempt_but_not_for_ever() {
    let now = Instant::now();
    let next = |outcome| {
        let mut schedule = schedule(&["1"], now);
        schedule.start_due(now, every);
        schedule.finish(&key("mail"), "1", outcome, now, 0.5);
        schedule.next_deadline().unwrap() - now
    };
    let after = Some(Duration::from_secs(600));
    assert_eq!(next(ScheduleOutcome::Unreachable { after }).as_secs(), 600);
    assert_eq!(next(ScheduleOutcome::Deferred { after }).as_secs(), 600);
    assert_eq!(next(ScheduleOutcome::Unreachable { after: Some(Duration::ZERO) }), SECOND);
    assert_eq!(next(ScheduleOutcome::Deferred { after: Some(Duration::MAX) }), MAX_AFTER);
}

#[test]
fn an_ordered_queue_waits_for_its_oldest_alert() {
    let now = Instant::now();
    let key = ruled(QueueRules { is_ordered: true, ..QueueRules::default() });
    let mut schedule = Schedule::default();
    for id in ["web1.10.1", "web1.9.1"] {
        schedule.add(&key, id, now);
    }
    assert_eq!(schedule.start_due(now, every), [(key.clone(), "web1.9.1".to_owned())]);
    schedule.finish(&key, "web1.9.1", DEFERRED, now, 0.5);
    assert!(schedule.start_due(now, every).is_empty());
    assert_eq!(schedule.next_deadline(), Some(now + SECOND));
    assert_eq!(schedule.start_due(now + SECOND, every), [(key, "web1.9.1".to_owned())]);
}

#[test]
fn ids_are_ordered_by_their_numbers() {
    let mut ids = ["web1.10.1", "web1.9.2", "web1.9.10", "web1.009.3", "0001764467291459.7.ab", "a"];
    ids.sort_by_key(|id| AgeOrder::of(id));
    let mut again = ids;
    again.reverse();
    again.sort_by_key(|id| AgeOrder::of(id));
    assert_eq!(ids, again);
    let at = |id: &str| ids.iter().position(|other| *other == id);
    assert!(at("web1.9.2") < at("web1.009.3") && at("web1.009.3") < at("web1.9.10"));
    assert!(at("web1.9.10") < at("web1.10.1"));
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
                Some(0) => DEFERRED,
                Some(1) => UNREACHABLE,
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

    #[test]
    fn of_an_ordered_queue_what_ends_an_incident_never_overtakes_what_opened_it(
        outcomes in prop::collection::vec(0_u8..3, 0..60), arrivals in prop::collection::vec(0_u64..30, 1..12),
    ) {
        let start = Instant::now();
        let key = ruled(QueueRules { is_ordered: true, pace: PACE });
        let mut schedule = Schedule::default();
        let mut outcomes = outcomes.into_iter();
        let (mut now, mut arrival, mut taken) = (start, start, Vec::new());
        for (number, delay) in arrivals.iter().enumerate() {
            arrival += Duration::from_secs(*delay);
            // Until the next alert comes, everything that is due is attempted.
            while let Some(deadline) = schedule.next_deadline().filter(|at| *at <= arrival) {
                now = now.max(deadline);
                attempt(&mut schedule, &key, now, outcomes.next(), &mut taken)?;
            }
            now = arrival;
            schedule.add(&key, &format!("web1.{number}.1"), now);
        }
        while let Some(deadline) = schedule.next_deadline() {
            now = now.max(deadline);
            attempt(&mut schedule, &key, now, outcomes.next(), &mut taken)?;
        }
        prop_assert_eq!(taken, (0..arrivals.len()).map(|n| format!("web1.{n}.1")).collect::<Vec<_>>());
    }
}

/// One attempt of what is due, with the next outcome.
fn attempt(
    schedule: &mut Schedule,
    key: &QueueKey,
    now: Instant,
    outcome: Option<u8>,
    taken: &mut Vec<String>,
) -> Result<(), TestCaseError> {
    let begun = schedule.start_due(now, every);
    prop_assert_eq!(begun.len(), 1, "a deadline always has something to do");
    let outcome = match outcome {
        Some(0) => DEFERRED,
        Some(1) => ScheduleOutcome::Unreachable { after: Some(Duration::from_secs(7)) },
        _ => SENT,
    };
    schedule.finish(key, &begun[0].1, outcome, now, 0.5);
    taken.extend((outcome == SENT).then(|| begun[0].1.clone()));
    Ok(())
}
