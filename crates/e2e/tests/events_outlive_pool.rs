//! Events that wait are not forgotten when their pool is changed or the daemon begins anew, and it is said where they are.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::daemon::{BASE, write_config};
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Ctl, Daemon, Implementation, RecordedEvent, Recorder, TIMEOUT, TestDir, until};
use rustix::process::Signal;

fn remote(daemon: &Daemon, data: &str) {
    daemon.send_remote_event("n", data).unwrap();
}

fn data(events: &[RecordedEvent]) -> Vec<String> {
    let remote = events.iter().filter(|event| event.name() == "REMOTE_COMMUNICATION");
    remote.map(|event| event.body.trim_start_matches("type:n\n").to_owned()).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn update(dir: &TestDir) -> String {
    Ctl::new(Implementation::Ours).run(dir, &["update"], b"", &[]).unwrap().text()
}

/// A listener that never answers; it has number 0, the others wait.
fn mute(dir: &TestDir) -> (Recorder, String) {
    let mute = Recorder::new(dir, "mute", "MUTE").unwrap();
    let section = mute.section("late", "REMOTE_COMMUNICATION").replace("buffer_size=1000\n", "");
    (mute, section)
}

#[test]
fn an_update_of_a_changed_listener_hands_its_events_to_the_new_one() {
    let dir = TestDir::new().unwrap();
    let (mute, before) = mute(&dir);
    let daemon = Daemon::start(&dir, Implementation::Ours, &before).unwrap();
    daemon.wait_state("late", "RUNNING").unwrap();
    for number in numbers(500) {
        remote(&daemon, &number);
    }
    mute.wait_all("number 0", |events| events.len() == 1).unwrap();
    let good = Recorder::new(&dir, "good", "").unwrap();
    let after =
        good.section("late", "REMOTE_COMMUNICATION,PROCESS_STATE_FATAL").replace("buffer_size=1000\n", "");
    let control = "[supervisorctl]\nserverurl=unix://{dir}/s.sock\n";
    write_config(&dir, &format!("{BASE}{control}{after}")).unwrap();
    let printed = update(&dir);
    assert!(printed.contains("late: updated process group"), "{printed:?}");
    let events = good.wait_all("all of them", |events| data(events).len() >= 500).unwrap();
    assert_eq!(data(&events), numbers(500), "{}", daemon.log());
    assert!(
        daemon
            .log()
            .contains("pool late takes over the events that waited in the old one: 500 REMOTE_COMMUNICATION"),
        "{}",
        daemon.log()
    );
    // What the new one does not want is said.
    let log = daemon.log();
    assert!(!log.contains("forgotten"), "{log}");
}

#[test]
fn an_event_that_comes_between_the_old_pool_and_the_new_one_is_not_lost() {
    let dir = TestDir::new().unwrap();
    let late = Recorder::new(&dir, "late", "").unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, &late.section("late", "EVENT")).unwrap();
    daemon.wait_state("late", "RUNNING").unwrap();
    remote(&daemon, "0");
    late.wait_all("number 0", |events| data(events).len() == 1).unwrap();
    // This is what an update does, and there is nothing that waits when the old pool goes.
    daemon.call("stopProcess", &["late".into()]).unwrap().unwrap();
    daemon.call("removeProcessGroup", &["late".into()]).unwrap().unwrap();
    for number in 1..5 {
        remote(&daemon, &number.to_string());
    }
    daemon.call("addProcessGroup", &["late".into()]).unwrap().unwrap();
    remote(&daemon, "5");
    let events = late.wait_all("all of them", |events| data(events).len() >= 6).unwrap();
    assert_eq!(data(&events), numbers(6), "{}", daemon.log());
    // Of its own going it does not hear, as ever.
    assert!(!events.iter().any(|event| event.name() == "PROCESS_GROUP_REMOVED"), "{events:?}");
    assert!(!daemon.log().contains("forgotten"), "{}", daemon.log());
}

#[test]
fn what_a_pool_leaves_is_said_with_its_count_when_it_is_removed_and_when_the_daemon_ends() {
    let dir = TestDir::new().unwrap();
    let (mute, section) = mute(&dir);
    let other = Recorder::new(&dir, "other", "MUTE").unwrap();
    let section = format!("{section}{}", other.section("other", "REMOTE_COMMUNICATION"));
    let mut daemon = Daemon::start(&dir, Implementation::Ours, &section).unwrap();
    daemon.wait_state("late", "RUNNING").unwrap();
    for number in numbers(7) {
        remote(&daemon, &number);
    }
    mute.wait_all("number 0", |events| events.len() == 1).unwrap();
    daemon.call("stopProcess", &["late".into()]).unwrap().unwrap();
    daemon.call("removeProcessGroup", &["late".into()]).unwrap().unwrap();
    let line = "pool late is out of service; the events that wait in it are kept for a pool of that name for 60 s: 7 \
                REMOTE_COMMUNICATION";
    assert!(daemon.log().contains(line), "{}", daemon.log());
    assert_eq!(daemon.stop().unwrap().code(), Some(0));
    for pool in ["late", "other"] {
        let line = format!("events that nobody has dealt with end with pool {pool}: 7 REMOTE_COMMUNICATION");
        assert!(daemon.log().contains(&line), "{}", daemon.log());
    }
}

#[test]
fn a_restart_of_the_daemon_hands_waiting_events_to_the_next_life() {
    let dir = TestDir::new().unwrap();
    let (mute, before) = mute(&dir);
    let daemon = Daemon::start(&dir, Implementation::Ours, &before).unwrap();
    daemon.wait_state("late", "RUNNING").unwrap();
    for number in numbers(50) {
        remote(&daemon, &number);
    }
    let first = mute.wait_all("number 0", |events| events.len() == 1).unwrap();
    let good = Recorder::new(&dir, "good", "").unwrap();
    let after = good.section("late", "REMOTE_COMMUNICATION").replace("buffer_size=1000\n", "");
    write_config(&dir, &format!("{BASE}{after}")).unwrap();
    daemon.signal(Signal::HUP).unwrap();
    let events = good.wait_all("all of them", |events| data(events).len() >= 50).unwrap();
    assert_eq!((data(&events), &events[0]), (numbers(50), &first[0]), "{}", daemon.log());
    // Numbers go on, so that no two events have the same.
    until("the daemon to answer", TIMEOUT, || {
        Ok(daemon.ask("supervisor.getState", &[]).ok().filter(|state| state.is_ok()).map(drop))
    })
    .unwrap();
    remote(&daemon, "50");
    let events = good.wait_all("one more", |events| data(events).len() >= 51).unwrap();
    let serials: Vec<u64> =
        events.iter().map(|event| event.token("serial").unwrap().parse().unwrap()).collect();
    assert!(serials.windows(2).all(|two| two[0] < two[1]), "{serials:?}");
    let all = daemon.ask("ironlance.getListeners", &[]).unwrap().unwrap();
    assert_eq!(all.items()[0].get("pending").and_then(XmlValue::as_int), Some(0), "{all}");
}
