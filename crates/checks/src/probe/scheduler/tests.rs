//! Tests of the scheduler: its transition table, and that no check overlaps itself.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn program(name: &str) -> Namespec {
    Namespec::new(name, name)
}

fn spec(name: &str, family: Family, target: ProbeTarget) -> CheckSpec {
    let key = CheckKey { program: program(name), family, name: String::new() };
    CheckSpec { key, target, every: 10 * SECOND, timeout: 3 * SECOND, grace: 11 * SECOND, settled: 3 }
}

fn tcp(name: &str) -> CheckSpec {
    spec(name, Family::Health, ProbeTarget::Tcp { host: "db".into(), port: 1 })
}

fn started(effects: &[ProbeEffect]) -> Vec<u64> {
    let tokens = effects.iter().filter_map(|effect| match effect {
        ProbeEffect::Start(run) => Some(run.token),
        ProbeEffect::Cancel(_) | ProbeEffect::Report { .. } => None,
    });
    tokens.collect()
}

/// A scheduler with one health check of a program that runs since second 100.
fn with_one_check() -> Scheduler {
    let mut scheduler = Scheduler::default();
    assert!(scheduler.configure(vec![tcp("web")], 50 * SECOND).is_empty());
    assert_eq!(scheduler.next_deadline(), None);
    scheduler.running(program("web"), 7, 100 * SECOND, Vec::new(), 100 * SECOND);
    scheduler
}

/// Starts the run that is due next.
fn start_next(scheduler: &mut Scheduler) -> (u64, Duration) {
    let due = scheduler.next_deadline().unwrap();
    (started(&scheduler.wake(due))[0], due)
}

#[test]
fn a_check_begins_after_the_grace_and_comes_back_at_its_period_however_long_it_takes() {
    let mut scheduler = with_one_check();
    let (token, due) = start_next(&mut scheduler);
    assert_eq!(due, 111 * SECOND);
    assert!(scheduler.wake(due + 2 * SECOND).is_empty());
    assert!(scheduler.finished(token, RunOutcome::Well, due + 2 * SECOND).is_some());
    let (token, next) = start_next(&mut scheduler);
    assert_eq!(next, due + 10 * SECOND);
    scheduler.finished(token, RunOutcome::Well, next + 24 * SECOND);
    assert_eq!(scheduler.next_deadline(), Some(next + 30 * SECOND));
}

#[test]
fn a_program_that_does_not_run_is_not_checked_and_its_run_is_cancelled() {
    let mut scheduler = with_one_check();
    let (token, due) = start_next(&mut scheduler);
    assert_eq!(scheduler.not_running(&program("web")), [ProbeEffect::Cancel(token)]);
    assert_eq!(scheduler.finished(token, RunOutcome::Well, due), None);
    assert_eq!(scheduler.next_deadline(), None);
    scheduler.running(program("web"), 8, due, Vec::new(), due);
    assert_eq!(scheduler.next_deadline(), Some(due + 11 * SECOND));
}

#[test]
fn the_same_process_told_twice_changes_nothing_and_another_one_begins_anew() {
    let mut scheduler = with_one_check();
    let (token, due) = start_next(&mut scheduler);
    assert!(scheduler.running(program("web"), 7, 100 * SECOND, Vec::new(), due).is_empty());
    let other = scheduler.running(program("web"), 8, due, Vec::new(), due);
    assert_eq!(other, [ProbeEffect::Cancel(token)]);
}

#[test]
fn a_reload_leaves_equal_checks_alone_and_cancels_the_others() {
    let mut scheduler = with_one_check();
    let (token, due) = start_next(&mut scheduler);
    assert!(scheduler.configure(vec![tcp("web"), tcp("other")], due).is_empty());
    let changed = CheckSpec { every: 5 * SECOND, ..tcp("web") };
    assert_eq!(scheduler.configure(vec![changed], due), [ProbeEffect::Cancel(token)]);
    assert!(scheduler.next_deadline().is_some());
    assert!(scheduler.configure(Vec::new(), due).is_empty());
    assert_eq!(scheduler.next_deadline(), None);
}

#[test]
fn good_results_are_reported_twice_as_often_as_it_takes_and_then_every_five_minutes() {
    let mut scheduler = with_one_check();
    let mut reports = Vec::new();
    for _ in 0..50 {
        let (token, due) = start_next(&mut scheduler);
        reports.push(scheduler.finished(token, RunOutcome::Well, due).is_some());
    }
    let at: Vec<usize> = (0..50).filter(|index| reports[*index]).collect();
    assert_eq!(at, [0, 1, 2, 3, 4, 5, 35]);
    let (token, due) = start_next(&mut scheduler);
    assert!(scheduler.finished(token, RunOutcome::Wrong("x".into()), due).is_some());
    let (token, due) = start_next(&mut scheduler);
    assert!(scheduler.finished(token, RunOutcome::Well, due).is_some());
}

#[test]
fn a_check_that_cannot_be_made_is_reported_at_the_third_time() {
    let mut scheduler = with_one_check();
    let mut reports = Vec::new();
    for _ in 0..5 {
        let (token, due) = start_next(&mut scheduler);
        reports.push(scheduler.finished(token, RunOutcome::Unable("x".into()), due).is_some());
    }
    assert_eq!(reports, [false, false, true, false, false]);
}

#[test]
fn a_run_that_hangs_is_reported_and_not_started_again() {
    let mut scheduler = with_one_check();
    let (token, due) = start_next(&mut scheduler);
    let mut reports = Vec::new();
    for _ in 0..4 {
        let late = scheduler.next_deadline().unwrap();
        let effects = scheduler.wake(late);
        assert!(started(&effects).is_empty());
        reports.extend(effects);
    }
    assert!(
        matches!(
            &reports[..],
            [ProbeEffect::Report { result: ProbeResult::Unable(reason), .. }] if reason.starts_with("it hangs since 25 s")
        ),
        "{reports:?}"
    );
    scheduler.finished(token, RunOutcome::Well, due + 60 * SECOND);
    assert_eq!(scheduler.next_deadline(), Some(due + 70 * SECOND));
}

#[test]
fn limits_are_measured_together_and_health_checks_are_spread() {
    let mut scheduler = Scheduler::default();
    let names: Vec<String> = (0..50).map(|index| format!("p{index}")).collect();
    let memory = ProbeTarget::Memory { pss: false, tree: false, limit: 1 };
    let mut specs: Vec<CheckSpec> = names.iter().map(|name| tcp(name)).collect();
    let limit =
        |name: &String| CheckSpec { grace: Duration::ZERO, ..spec(name, Family::Memory, memory.clone()) };
    specs.extend(names.iter().map(limit));
    scheduler.configure(specs, SECOND);
    for name in &names {
        scheduler.running(program(name), 7, 3 * SECOND, Vec::new(), 3 * SECOND);
    }
    assert_eq!(started(&scheduler.wake(10 * SECOND)).len(), 50);
    // Ten seconds after the grace, in tenths: never more than three at once.
    for tenth in 1..=100 {
        let at = 14 * SECOND + tenth * SECOND / 10;
        assert!(started(&scheduler.wake(at)).len() <= if tenth % 100 == 60 { 53 } else { 3 }, "{tenth}");
    }
}

#[test]
fn a_silent_program_is_looked_at_again_and_a_beat_ends_it_at_once() {
    let mut scheduler = Scheduler::default();
    let beats = CheckSpec { every: 60 * SECOND, ..spec("web", Family::Heartbeat, ProbeTarget::Beats) };
    scheduler.configure(vec![beats], SECOND);
    // It runs for long: what was before it was listened to is not known.
    scheduler.running(program("web"), 7, SECOND, Vec::new(), 1000 * SECOND);
    scheduler.beat(&program("web"), 1010 * SECOND, 1010 * SECOND);
    let run = |scheduler: &mut Scheduler, at: Duration| match &scheduler.wake(at)[..] {
        [ProbeEffect::Start(run)] => {
            let outcome = RunOutcome::Beat(run.beat_age);
            match scheduler.finished(run.token, outcome, at) {
                Some(ProbeEffect::Report { result, .. }) => result,
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(scheduler.next_deadline(), Some(1060 * SECOND));
    assert_eq!(run(&mut scheduler, 1060 * SECOND), ProbeResult::Good);
    assert_eq!(scheduler.next_deadline(), Some(1070 * SECOND));
    assert!(matches!(run(&mut scheduler, 1070 * SECOND), ProbeResult::Bad(_)));
    assert_eq!(scheduler.next_deadline(), Some(1080 * SECOND));
    scheduler.beat(&program("web"), 1075 * SECOND, 1075 * SECOND);
    assert_eq!(run(&mut scheduler, 1075 * SECOND), ProbeResult::Good);
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Finish(usize),
    Running(usize, i32),
    NotRunning(usize),
    Beat(usize),
    Configure(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..20_000).prop_map(Step::Pass),
        (0_usize..4).prop_map(Step::Finish),
        (0_usize..3, 1_i32..4).prop_map(|(index, pid)| Step::Running(index, pid)),
        (0_usize..3).prop_map(Step::NotRunning),
        (0_usize..3).prop_map(Step::Beat),
        (0_usize..4).prop_map(Step::Configure),
    ]
}

proptest! {
    #[test]
    fn no_check_overlaps_itself_and_only_running_programs_are_checked(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let names = ["a", "b", "c"];
        let mut specs: Vec<CheckSpec> = names.iter().map(|name| tcp(name)).collect();
        specs.push(spec("a", Family::Heartbeat, ProbeTarget::Beats));
        let mut scheduler = Scheduler::default();
        let mut now = 1000 * SECOND;
        scheduler.configure(specs.clone(), now);
        let mut flying: BTreeMap<u64, CheckKey> = BTreeMap::new();
        let mut running: std::collections::BTreeSet<Namespec> = std::collections::BTreeSet::new();
        for step in steps {
            let mut effects = match step {
                Step::Pass(millis) => {
                    now += Duration::from_millis(millis);
                    Vec::new()
                }
                Step::Finish(index) => match flying.keys().nth(index).copied() {
                    Some(token) => {
                        flying.remove(&token);
                        scheduler.finished(token, RunOutcome::Well, now).into_iter().collect()
                    }
                    None => Vec::new(),
                },
                Step::Running(index, pid) => {
                    running.insert(program(names[index]));
                    scheduler.running(program(names[index]), pid, now, Vec::new(), now)
                }
                Step::NotRunning(index) => {
                    running.remove(&program(names[index]));
                    scheduler.not_running(&program(names[index]))
                }
                Step::Beat(index) => {
                    scheduler.beat(&program(names[index]), now, now);
                    Vec::new()
                }
                Step::Configure(count) => scheduler.configure(specs[..count].to_vec(), now),
            };
            effects.extend(scheduler.wake(now));
            for effect in effects {
                match effect {
                    ProbeEffect::Start(run) => {
                        prop_assert!(running.contains(&run.spec.key.program));
                        prop_assert!(flying.values().all(|key| *key != run.spec.key), "overlaps");
                        flying.insert(run.token, run.spec.key.clone());
                    }
                    ProbeEffect::Cancel(token) => prop_assert!(flying.remove(&token).is_some()),
                    ProbeEffect::Report { .. } => {}
                }
            }
            prop_assert!(scheduler.next_deadline().is_none_or(|deadline| deadline > now));
        }
    }
}
