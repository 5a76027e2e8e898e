//! Listeners that do not do what they should, under our daemon: no event is lost, nobody else suffers, and it is said.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use ironlance_e2e::wait::pause;
use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, Implementation, RecordedEvent, Recorder, TestDir, until};

const LIMIT: Duration = Duration::from_secs(15);

/// A recorder that gives this answer the first time it is started, and behaves after that.
fn reformed(dir: &TestDir, name: &str, first: &str) -> (Recorder, String) {
    let answers = format!("\"$(if test -e {name}.again; then echo OK; else printf %s '{first}'; fi)\"");
    let recorder = Recorder::new(dir, name, &answers).unwrap();
    let script = dir
        .script(
            &format!("{name}.sh"),
            &format!(
                "answer={answers}\ntouch {name}.again\nexec {}",
                recorder.command().replace(&answers, "\"$answer\"")
            ),
        )
        .unwrap();
    let section =
        format!("[eventlistener:{name}]\ncommand={script}\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n");
    (recorder, section)
}

fn remote(daemon: &Daemon, data: &str) {
    daemon.send_remote_event("n", data).unwrap();
}

fn data(events: &[RecordedEvent]) -> Vec<String> {
    events.iter().map(|event| event.body.trim_start_matches("type:n\n").to_owned()).collect()
}

#[test]
fn a_listener_that_breaks_the_protocol_gets_its_event_again() {
    let cases = [
        ("garbage", "hello, world\\nREADY\\n"),
        ("noresult", "RESULT x\\nOKREADY\\n"),
        ("negative", "RESULT -5\\nOKREADY\\n"),
        ("huge", "RESULT 99999999\\nOKREADY\\n"),
        ("binary", "\\x00\\xff\\nREADY\\n"),
        ("endless", "RESULT 22222222222222222222222222222222222222222222222222\\nREADY\\n"),
        ("twice", "RESULT 2\\nOKRESULT 2\\nOKREADY\\n"),
        ("dies", "DIE"),
    ];
    let dir = TestDir::new().unwrap();
    let (recorders, sections): (Vec<_>, Vec<_>) =
        cases.iter().map(|(name, answer)| reformed(&dir, name, answer)).unzip();
    let witness = Recorder::new(&dir, "witness", "").unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("{}{}", sections.concat(), witness.section("witness", "REMOTE_COMMUNICATION")),
    )
    .unwrap();
    for (name, _) in cases {
        daemon.wait_state(name, "RUNNING").unwrap();
    }
    for number in 0..5 {
        remote(&daemon, &number.to_string());
    }
    let expected = ["0", "1", "2", "3", "4"].map(str::to_owned);
    witness.wait_all("number 4", |events| data(events) == expected).unwrap();
    for (recorder, (name, _)) in recorders.iter().zip(cases) {
        let events = recorder
            .wait_all(&format!("4 at {name}"), |events| data(events).last().is_some_and(|last| last == "4"))
            .unwrap_or_else(|error| panic!("{name}: {error:#}\n{}", daemon.log()));
        // "twice" has given a good answer to the first before it broke the rules.
        let mut seen = data(&events);
        seen.dedup();
        assert_eq!(seen, expected, "{name}");
        assert_eq!(events[0].header, events.iter().find(|event| event.body.ends_with("\n0")).unwrap().header);
        if name != "dies" {
            let lines = daemon.log_about(name);
            assert!(
                lines.iter().any(|line| line.starts_with("WARN") || line.starts_with("ERRO")),
                "{name}: {lines:#?}"
            );
        }
        daemon.wait_state(name, "RUNNING").unwrap();
    }
}

#[test]
fn a_listener_that_never_answers_holds_nobody_up() {
    let dir = TestDir::new().unwrap();
    let mute = Recorder::new(&dir, "mute", "MUTE").unwrap();
    let half = Recorder::new(&dir, "half", "'RESULT 2\\nO'").unwrap();
    let good = Recorder::new(&dir, "good", "").unwrap();
    let events = "REMOTE_COMMUNICATION,PROCESS_STATE";
    let mut daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "{}{}{}[program:a]\ncommand=sleep 1000\nstartsecs=0\n",
            mute.section("mute", events),
            half.section("half", events),
            good.section("good", events)
        ),
    )
    .unwrap();
    for name in ["mute", "half", "good", "a"] {
        daemon.wait_state(name, "RUNNING").unwrap();
    }
    for number in 0..200 {
        remote(&daemon, &number.to_string());
    }
    good.wait_all("number 199", |events| data(events).last().is_some_and(|last| last == "199")).unwrap();
    daemon.call("stopProcess", &["a".into()]).unwrap().unwrap();
    for (recorder, name) in [(&mute, "mute"), (&half, "half")] {
        recorder
            .wait_all("number 0", |events| events.len() == 1)
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let info = daemon.listener(name).unwrap();
        assert_eq!(info.get("state").and_then(XmlValue::as_str), Some("BUSY"), "{info}");
        assert!(info.get("pending").and_then(XmlValue::as_int).unwrap() >= 200, "{info}");
    }
    // What was not answered for is sent again after the listener is gone.
    daemon.call("stopProcess", &["mute".into()]).unwrap().unwrap();
    daemon.call("startProcess", &["mute".into()]).unwrap().unwrap();
    let again = mute.wait_all("the same event", |events| events.len() == 2).unwrap();
    assert_eq!(again[0], again[1]);
    assert_eq!(daemon.stop().unwrap().code(), Some(0));
}

#[test]
fn a_listener_that_floods_its_stdout_is_bounded() {
    let dir = TestDir::new().unwrap();
    let flood = dir.script("flood", "exec cat /dev/zero").unwrap();
    let lines = dir.script("lines", "exec yes READY").unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, &format!("[supervisord]\nloglevel=info\n[eventlistener:flood]\ncommand={flood}\nevents=TICK_5\nstartsecs=0\n[eventlistener:lines]\ncommand={lines}\nevents=TICK_5\nstartsecs=0\n")).unwrap();
    for name in ["flood", "lines"] {
        until("a word of it", LIMIT, || {
            Ok(daemon
                .log_about(name)
                .iter()
                .any(|line| line.starts_with("WARN") || line.starts_with("ERRO"))
                .then_some(()))
        })
        .unwrap();
    }
    // The daemon answers all the same, and does not grow.
    let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
    assert!(info.get("resident_bytes").and_then(XmlValue::as_int).unwrap() < 40 << 20, "{info}");
    // Neither is it started again and again without a pause.
    pause(Duration::from_secs(1));
    let starts = daemon.log().matches("spawned: 'flood'").count();
    assert!(starts < 20, "{starts} starts");
}

#[test]
fn a_burst_of_events_is_kept_for_a_listener_that_comes_late() {
    let dir = TestDir::new().unwrap();
    let late = Recorder::new(&dir, "late", "").unwrap();
    let section =
        late.section("late", "REMOTE_COMMUNICATION").replace("buffer_size=1000\n", "") + "autostart=false\n";
    let daemon = Daemon::start(&dir, Implementation::Ours, &section).unwrap();
    for number in 0..500 {
        remote(&daemon, &number.to_string());
    }
    daemon.call("startProcess", &["late".into()]).unwrap().unwrap();
    let events = late.wait_all("number 499", |events| events.len() == 500).unwrap();
    assert_eq!(data(&events), (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
}
