//! What comes out: scenarios with the defaults, and their messages.

use ProcessState::{Exited, Fatal, Running, Stopped, Stopping};

use super::*;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn play(programs: &[&str]) -> Play {
    let mut play = Play::new(config(vec![receiver("ops")], programs));
    for name in programs {
        play.state(0, name, Running);
    }
    play
}

/// A crash and a restart 1.1 s later.
fn crash(play: &mut Play, at: u64, program: &str) {
    play.state(at, program, Exited);
    play.state(at + 1100, program, Running);
}

/// The counts of messages and reminders.
fn count(play: &Play) -> (usize, usize) {
    let notices = play.notices();
    let reminders =
        notices.iter().filter(|(_, notice)| notice.kind == ironlance_alert::card::CardKind::Reminder);
    let reminders = reminders.count();
    (notices.len() - reminders, reminders)
}

#[test]
fn one_crash_is_one_message_that_says_that_it_runs_again() {
    let mut play = play(&["web"]);
    crash(&mut play, SECOND, "web");
    play.go_to(4 * HOUR);
    assert_eq!(play.told(), ["11 ops Firing: web crash UpAgain"]);
}

#[test]
fn twelve_programs_that_go_fatal_are_one_message_and_one_reminder_in_eight_hours() {
    let names = (0..12).map(|number| format!("p{number}")).collect::<Vec<_>>();
    let mut play = play(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for (number, name) in (0..).zip(&names) {
        play.state(number * 500, name, Fatal);
    }
    play.go_to(8 * HOUR);
    assert_eq!(count(&play), (1, 1));
    assert!(play.notices().iter().all(|(_, notice)| notice.items.len() == 12));
}

#[test]
fn a_crash_that_becomes_fatal_and_is_mended_is_two_messages() {
    let mut play = play(&["web"]);
    play.state(SECOND, "web", Exited);
    play.state(3 * SECOND, "web", Fatal);
    play.state(30 * MINUTE, "web", Running);
    play.go_to(3 * HOUR);
    assert_eq!(play.told(), ["11 ops Firing: web fatal Firing", "1840 ops Recovered: web fatal Recovered"]);
}

#[test]
fn a_program_that_crashes_each_minute_for_an_hour_is_six_messages() {
    let mut play = play(&["web"]);
    for minute in 0..60 {
        crash(&mut play, minute * MINUTE + SECOND, "web");
    }
    play.go_to(3 * HOUR);
    assert_eq!(count(&play), (6, 0), "{:#?}", play.told());
}

#[test]
fn five_hundred_programs_that_crash_for_an_hour_are_five_messages() {
    let names = (0..500).map(|number| format!("p{number:03}")).collect::<Vec<_>>();
    let mut play = play(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut events = Vec::new();
    for (index, name) in (0_u64..).zip(&names) {
        for round in 0..90 {
            let at = round * 40 * SECOND + (index * 7919 + round * 104_729) % 5000;
            events.push((at + 1, name, Exited));
            events.push((at + 1101, name, Running));
        }
    }
    events.sort_by_key(|(at, name, _)| (*at, *name));
    for (at, name, state) in events {
        play.state(at, name, state);
    }
    play.go_to(3 * HOUR);
    let told =
        play.notices().iter().map(|(at, notice)| (*at, notice.kind, notice.items.len())).collect::<Vec<_>>();
    assert_eq!(count(&play), (5, 0), "{told:?}");
}

#[test]
fn a_program_that_crashes_every_three_minutes_for_two_hours_is_eight_messages() {
    let mut play = play(&["web"]);
    for round in 0..40 {
        crash(&mut play, round * 3 * MINUTE + SECOND, "web");
    }
    play.go_to(5 * HOUR);
    assert_eq!(count(&play), (8, 0), "{:#?}", play.told());
}

fn checked() -> Play {
    let mut config = config(vec![receiver("ops")], &["api"]);
    for program in config.programs.values_mut() {
        program.checks.push(check());
    }
    let mut play = Play::new(config);
    play.state(0, "api", Running);
    play
}

#[test]
fn a_check_that_flaps_for_two_hours_is_three_messages() {
    for half in [30 * SECOND, 5 * SECOND] {
        let mut play = checked();
        let rounds = 2 * HOUR / (2 * half);
        for round in 0..rounds {
            play.reading(round * 2 * half + SECOND, "api", false);
            play.reading(round * 2 * half + half + SECOND, "api", true);
        }
        play.go_to(4 * HOUR);
        assert_eq!(count(&play), (3, 0), "{:#?}", play.told());
    }
}

#[test]
fn what_was_told_as_well_and_is_bad_again_is_told_again() {
    let mut play = checked();
    play.reading(SECOND, "api", false);
    play.reading(6 * SECOND, "api", true);
    play.reading(21 * SECOND, "api", false);
    play.reading(3 * HOUR, "api", true);
    play.go_to(5 * HOUR);
    assert_eq!(
        play.told(),
        [
            "11 ops Firing: api bad UpAgain",
            "71 ops Firing: api bad Firing",
            "10840 ops Recovered: api bad Recovered"
        ]
    );
}

#[test]
fn an_operators_stop_and_restart_tell_nobody() {
    let mut play = play(&["web"]);
    play.state(SECOND, "web", Stopping);
    play.state(2 * SECOND, "web", Stopped);
    play.state(3 * SECOND, "web", ProcessState::Starting);
    play.state(4 * SECOND, "web", Running);
    play.go_to(HOUR);
    assert!(play.told().is_empty(), "{:#?}", play.told());
}

#[test]
fn a_carrier_that_is_dead_for_eight_hours_brings_four_messages_and_loses_nothing() {
    let names = (0..12).map(|number| format!("p{number}")).collect::<Vec<_>>();
    let mut play = play(&names.iter().map(String::as_str).collect::<Vec<_>>());
    play.is_stuck = true;
    for minute in 1..8 * 60 {
        let name = &names[usize::try_from(minute % 12).unwrap()];
        crash(&mut play, minute * MINUTE, name);
        play.go_to(minute * MINUTE + 30 * SECOND);
    }
    play.state(8 * HOUR, "p3", Fatal);
    assert_eq!(play.notices().len(), 3);
    play.is_stuck = false;
    play.step(8 * HOUR + MINUTE, Input::Outbox(vec![]));
    assert_eq!(play.notices().len(), 4);
    let last = play.notices()[3].1;
    assert_eq!(last.items.len(), 12);
    assert_eq!((last.items[0].program.as_str(), last.items[0].phase.name()), ("p3", "fatal"));
}

#[test]
fn a_shutdown_that_was_never_seen_to_end_hides_nothing() {
    let mut play = play(&["web"]);
    play.step(SECOND, Input::Stopping);
    play.state(MINUTE, "web", ProcessState::Starting);
    play.state(2 * MINUTE, "web", Fatal);
    play.go_to(3 * MINUTE);
    assert_eq!(play.told(), ["130 ops Firing: web fatal Firing"]);
}
