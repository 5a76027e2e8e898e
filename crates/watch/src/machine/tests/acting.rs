//! Checks, limits and what is done about them.

use ProcessState::{Running, Starting, Stopped, Stopping};
use ironlance_alert::card::Fact;
use ironlance_config::alerting::{Heartbeat, HeartbeatSource, MemoryLimit, MemoryMeasure};

use super::*;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

fn play(change: impl Fn(&mut ProgramAlerting)) -> Play {
    let mut config = config(vec![receiver("ops")], &["web"]);
    config.programs.values_mut().for_each(change);
    let mut play = Play::new(config);
    play.state(0, "web", Running);
    play
}

fn read(play: &mut Play, at: u64, family: Family, check: &str, result: ReadingResult) {
    let wall = START * 1000 + at;
    let program = Namespec::new("web", "web");
    play.step(at, Input::Check(CheckReading { program, family, check: check.to_owned(), at: wall, result }));
}

fn bad() -> ReadingResult {
    ReadingResult::Bad { facts: vec![Fact::Finding("status 503".to_owned())] }
}

/// A restart as the supervisor reports it.
fn restart(play: &mut Play, at: u64) {
    for state in [Stopping, Stopped, Starting, Running] {
        play.state(at, "web", state);
    }
}

fn actions(play: &Play) -> Vec<u64> {
    let acts = play.effects.iter().filter(|(_, effect)| matches!(effect, Effect::Act { .. }));
    acts.map(|(at, _)| at / SECOND).collect()
}

#[test]
fn a_check_that_fails_restarts_its_program_within_its_budget_and_says_so() {
    let within = Duration::from_secs(600);
    let mut play = play(|program| {
        let action = Action::Restart { most: 2, within };
        program.checks.push(HealthCheck {
            fail: 2,
            of: 3,
            grace: Duration::from_secs(10),
            action,
            ..check()
        });
    });
    for tens in 2..30 {
        let before = actions(&play).len();
        read(&mut play, tens * 10 * SECOND, Family::Health, "", bad());
        if actions(&play).len() > before {
            restart(&mut play, tens * 10 * SECOND + SECOND);
        }
    }
    assert_eq!(
        actions(&play),
        [30, 60],
        "the second after the grace and two more failures, the third not at all"
    );
    play.go_to(20 * MINUTE);
    assert_eq!(play.told()[0], "40 ops Firing: web bad Firing", "{:#?}", play.told());
    let facts = &play.notices()[0].1.items[0].facts;
    assert!(facts.contains(&Fact::Action("restarted".to_owned())), "{facts:?}");
    assert_eq!(play.watch.open_incidents().len(), 1, "a restart of ours closes nothing");
}

#[test]
fn two_checks_of_a_program_are_one_incident_that_ends_with_the_last() {
    let mut play = play(|program| {
        program.checks.push(HealthCheck { name: "page".to_owned(), ..check() });
        program.checks.push(HealthCheck { name: "port".to_owned(), ..check() });
    });
    read(&mut play, MINUTE, Family::Health, "page", bad());
    read(&mut play, 2 * MINUTE, Family::Health, "port", bad());
    read(&mut play, 3 * MINUTE, Family::Health, "page", ReadingResult::Good);
    play.go_to(10 * MINUTE);
    assert_eq!(play.told(), ["70 ops Firing: web bad Firing"]);
    read(&mut play, 20 * MINUTE, Family::Health, "port", ReadingResult::Good);
    play.go_to(30 * MINUTE);
    assert_eq!(play.told()[1], "1240 ops Recovered: web bad Recovered");
    let item = &play.notices()[1].1.items[0];
    assert_eq!(item.until, Some(item.since + 19 * 60), "it was over when it became well");
}

#[test]
fn memory_over_the_limit_for_long_enough_is_told_and_acted_on() {
    let mut play = play(|program| {
        program.memory_limit = Some(MemoryLimit {
            bytes: 400 << 20,
            measure: MemoryMeasure::Rss,
            tree: false,
            lasting: Duration::from_secs(180),
            action: Action::Signal("USR1".to_owned()),
        });
    });
    for tens in 6..30 {
        read(&mut play, tens * 10 * SECOND, Family::Memory, "", bad());
    }
    assert_eq!(actions(&play), [240]);
    assert_eq!(play.told(), ["250 ops Firing: web bad Firing"]);
    assert_eq!(play.watch.open_incidents()[0].times, 1);
}

#[test]
fn a_check_that_cannot_be_made_is_told_once_and_says_nothing_of_the_program() {
    let mut play = play(|program| program.checks.push(check()));
    for tens in 1..20 {
        let reason = "permission denied".to_owned();
        read(&mut play, tens * 10 * SECOND, Family::Health, "", ReadingResult::Failed { reason });
    }
    read(&mut play, 200 * SECOND, Family::Health, "", ReadingResult::Good);
    play.go_to(10 * MINUTE);
    assert_eq!(play.told(), ["20 ops Firing: web bad Firing", "240 ops Recovered: web bad Recovered"]);
    assert_eq!(play.notices()[0].1.items[0].family, Family::Delivery);
}

#[test]
fn results_of_a_program_that_does_not_run_or_just_started_do_not_count() {
    let grace = Duration::from_secs(10);
    let mut play = play(|program| program.checks.push(HealthCheck { grace, ..check() }));
    read(&mut play, 9 * SECOND, Family::Health, "", bad());
    play.state(20 * SECOND, "web", Stopping);
    read(&mut play, 21 * SECOND, Family::Health, "", bad());
    play.go_to(MINUTE);
    assert!(play.told().is_empty());
    assert!(play.watch.open_incidents().is_empty());
}

#[test]
fn a_heartbeat_that_is_missed_is_told() {
    let source = HeartbeatSource::Output;
    let within = Duration::from_secs(60);
    let mut play = play(|program| {
        program.heartbeat = Some(Heartbeat { source: source.clone(), within, action: Action::Notify });
    });
    let silent = ReadingResult::Bad { facts: vec![Fact::Silent { seconds: 61, limit: 60 }] };
    read(&mut play, 61 * SECOND, Family::Heartbeat, "", silent);
    play.go_to(10 * MINUTE);
    assert_eq!(play.told(), ["71 ops Firing: web bad Firing"]);
}

#[test]
fn a_check_that_is_not_configured_any_more_ends_its_incident() {
    let mut play = play(|program| program.checks.push(check()));
    read(&mut play, MINUTE, Family::Health, "", bad());
    play.go_to(2 * MINUTE);
    let effects = play.watch.reload(config(vec![receiver("ops")], &["web"]), &play.moment());
    assert!(play.watch.open_incidents().is_empty(), "{effects:?}");
    read(&mut play, 3 * MINUTE, Family::Health, "", bad());
    assert!(play.watch.open_incidents().is_empty());
}
