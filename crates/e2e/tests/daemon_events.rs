//! The event bus of both daemons: which events, in which order, with which bytes, and what becomes of refused ones.

use ironlance_e2e::{Daemon, Implementation, RecordedEvent, Recorder, Scenario, TestDir, compare_daemons};
use rustix::process::Signal;

/// Notes header and body of events, with the process ids taken out.
fn note_whole<'a>(
    scenario: &mut Scenario,
    heading: &str,
    events: impl IntoIterator<Item = &'a RecordedEvent>,
) {
    let lines = events.into_iter().map(|event| format!("{} | {}", header(event), event.body.escape_debug()));
    scenario.note_all(heading, lines.collect::<Vec<_>>());
}

/// The header, its `len` without the digits of a pid: one daemon's may have more of them than the other's.
fn header(event: &RecordedEvent) -> String {
    let len = event.token("len").and_then(|len| len.parse::<usize>().ok());
    let (Some(len), Some(pid)) = (len, event.body_token("pid")) else { return event.header.clone() };
    event.header.replace(&format!("len:{len}"), &format!("len:{} and the pid", len - pid.len()))
}

fn is_remote(event: &RecordedEvent, kind: &str) -> bool {
    event.body.starts_with(&format!("type:{kind}\n"))
}

#[test]
fn a_listener_of_everything_gets_everything_byte_for_byte() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "all", "")?;
        let daemon = scenario.daemon(&format!(
            "[supervisord]\nidentifier=me_and:you\n{}\
             [program:one]\ncommand=sh -c 'read go; echo out; echo err >&2; exec sleep 1000'\nautostart=false\nstartsecs=0\nstdout_events_enabled=true\nstderr_events_enabled=true\n",
            recorder.section("recorder", "EVENT")
        ))?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.send_remote_event("first", "the first event of ours: Malmö €")?;
        recorder.wait("of ours", |event| is_remote(event, "first"))?;
        daemon.call("startProcess", &["one".into()])?.unwrap();
        daemon.write_stdin("one", "go\n")?;
        recorder.wait_all("of both channels", |events| {
            events.iter().filter(|event| event.name().starts_with("PROCESS_LOG_")).count() == 2
        })?;
        daemon.call("stopProcess", &["one".into()])?.unwrap();
        recorder.wait("of the stop", |event| event.name() == "PROCESS_STATE_STOPPED")?;
        daemon.call("removeProcessGroup", &["one".into()])?.unwrap();
        daemon.call("addProcessGroup", &["one".into()])?.unwrap();
        daemon.send_remote_event("last", "")?;
        let events = recorder.wait("of the end", |event| is_remote(event, "last"))?;
        let about = |event: &&RecordedEvent| !event.name().starts_with("TICK") && event.body_token("processname") != Some("recorder");
        // A tick may come in between, so the serials are looked at only for being in order.
        let serials: Vec<u64> = events.iter().map(|event| event.token("serial").unwrap().parse().unwrap()).collect();
        let pool: Vec<u64> = events.iter().map(|event| event.token("poolserial").unwrap().parse().unwrap()).collect();
        scenario.note(format!("serials from 0, without a gap: {} {}", serials.iter().copied().eq(0..serials.len() as u64), pool == serials));
        for event in events.iter().filter(about) {
            // A body with a pid is as long as the pid has digits.
            let varies = |token: &str| token.contains("serial:") || (token.starts_with("len:") && event.body_token("pid").is_some());
            let tokens: Vec<&str> = event.header.split(' ').filter(|token| !varies(token)).collect();
            let length: usize = event.token("len").unwrap().parse().unwrap();
            scenario.note(format!("len counts the characters: {}", length == event.body.chars().count()));
            // Whether out comes before err is up to the kernel.
            if !event.name().starts_with("PROCESS_LOG") {
                scenario.note(format!("{} | {}", tokens.join(" "), event.body.escape_debug()));
            }
        }
        let mut logs: Vec<String> = events.iter().filter(|event| event.name().starts_with("PROCESS_LOG")).map(|event| event.body.clone()).collect();
        logs.sort();
        scenario.note_all("logs", logs.iter().map(|body| body.escape_debug().to_string()));
        Ok(())
    })
    .unwrap();
}

#[test]
fn output_becomes_events_whatever_bytes_it_has() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "logs", "")?;
        let says = |name: &str, what: &str| {
            format!("[program:{name}]\ncommand=sh -c 'read go; printf \"{what}\"; exec sleep 1000'\nstartsecs=0\nstdout_events_enabled=true\nstdout_logfile={{dir}}/{name}.log\n")
        };
        let daemon = scenario.daemon(&format!(
            "{}{}{}{}{}{}{}",
            recorder.section("recorder", "PROCESS_LOG,PROCESS_COMMUNICATION"),
            says("umlaut", "M\\\\303\\\\266 \\\\342\\\\202\\\\254 \\\\360\\\\237\\\\230\\\\200\\\\n"),
            says("broken", "a\\\\210\\\\t\\\\001b\\\\047c\\\\042\\\\\\\\\\\\n"),
            says("half", "x\\\\303"),
            says("nul", "a\\\\000b\\\\r\\\\n"),
            says("quoted", "\\\\210\\\\042"),
            says("tagged", "before <!--XSUPERVISOR:BEGIN-->inside<!--XSUPERVISOR:END--> after"),
        ))?;
        daemon.wait_state("recorder", "RUNNING")?;
        for (at, name) in ["umlaut", "broken", "half", "nul", "quoted", "tagged"].iter().enumerate() {
            daemon.wait_state(name, "RUNNING")?;
            daemon.write_stdin(name, "go\n")?;
            let events = recorder.wait_all("of the output", |events| events.len() > at)?;
            note_whole(scenario, name, &events[at..]);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn what_stands_between_the_tokens_is_captured() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "captured", "")?;
        let says = |name: &str, keys: &str, what: &str| {
            format!(
                "[program:{name}]\ncommand=sh -c 'read go; {what}; exec sleep 1000'\nstartsecs=0\n{keys}stdout_logfile={{dir}}/{name}.log\nstderr_logfile={{dir}}/{name}.err\n"
            )
        };
        let (begin, end) = ("<!--XSUPERVISOR:BEGIN-->", "<!--XSUPERVISOR:END-->");
        let out = "stdout_capture_maxbytes=1MB\n";
        let daemon = scenario.daemon(&format!(
            "{}{}{}{}{}{}{}",
            recorder.section("recorder", "PROCESS_COMMUNICATION"),
            says("plain", out, &format!("echo \"before {begin}inside é{end} after\"")),
            says("twice", out, &format!("echo \"1{begin}a{end}2{begin}{end}3\"")),
            says("split", out, &format!("printf \"x<!--XSUPER\"; sleep 0.1; printf \"VISOR:BEGIN-->in\"; sleep 0.1; printf \"side<!--XSUPERVISOR:EN\"; sleep 0.1; echo \"D-->y{begin}z{end}\"")),
            says("small", "stdout_capture_maxbytes=5\n", &format!("echo \"{begin}0123456789{end}\"")),
            says("errors", "stderr_capture_maxbytes=1MB\n", &format!("echo \"{begin}on stderr{end}\" >&2")),
            says("bytes", out, &format!("printf \"{begin}\\\\\\\\210{end}\"")),
        ))?;
        daemon.wait_state("recorder", "RUNNING")?;
        let mut seen = 0;
        // The original holds back what may begin a token, up to 25 bytes, and loses it when the process ends.
        for (name, count, original, ours) in [
            ("plain", 1, "before ", "before  after\n"),
            ("twice", 2, "12", "123\n"),
            ("split", 2, "xy", "xy\n"),
            ("small", 1, "", "\n"),
            ("errors", 1, "", "\n"),
            ("bytes", 1, "", ""),
        ] {
            daemon.wait_state(name, "RUNNING")?;
            daemon.write_stdin(name, "go\n")?;
            let events = recorder.wait_all("of what was captured", |events| events.len() >= seen + count)?;
            note_whole(scenario, name, &events[seen..]);
            seen += count;
            daemon.call("stopProcess", &[name.into()])?.unwrap();
            let logs = daemon.file(&format!("{name}.log")) + &daemon.file(&format!("{name}.err"));
            scenario.expect_difference(logs, original, ours)?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn remote_events_keep_type_and_data() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "remote", "")?;
        let daemon = scenario.daemon(&recorder.section("recorder", "REMOTE_COMMUNICATION"))?;
        daemon.wait_state("recorder", "RUNNING")?;
        for (kind, data) in [("kind", "data"), ("", ""), ("a b", "x\ny\n"), ("ö", "€😀"), ("k:v", " \t ")]
        {
            daemon.send_remote_event(kind, data)?;
        }
        let events = recorder.wait_all("number 5", |events| events.len() == 5)?;
        note_whole(scenario, "events", &events);
        scenario.note_call(&daemon, "sendRemoteCommEvent", &["only".into()])?;
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_refused_event_comes_again() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "refusing", "FAIL FAIL OK")?;
        let daemon = scenario.daemon(&recorder.section("recorder", "REMOTE_COMMUNICATION"))?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.send_remote_event("one", "1")?;
        let events = recorder.wait_all("three times", |events| events.len() == 3)?;
        daemon.send_remote_event("two", "2")?;
        let all = recorder.wait("after it", |event| is_remote(event, "two"))?;
        note_whole(scenario, "events", events.iter().chain(all.last()));
        scenario.note_log(&daemon, &["recorder"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_event_outlives_the_listener_that_died_of_it() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(
            &scenario.dir,
            "dying",
            "$(test -e {dir}/second && echo OK || echo DIE; touch {dir}/second)",
        )?;
        let section = recorder
            .section("recorder", "REMOTE_COMMUNICATION")
            .replace("command=", "command=sh -c 'exec ")
            .replace("\nevents", "'\nevents");
        let daemon = scenario.daemon(&section)?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.send_remote_event("one", "1")?;
        daemon.send_remote_event("two", "2")?;
        let events = recorder.wait("after it", |event| is_remote(event, "two"))?;
        note_whole(scenario, "events", &events);
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_event_goes_to_one_member_of_each_pool() {
    compare_daemons(|scenario| {
        let (pool, single) =
            (Recorder::new(&scenario.dir, "pool", "")?, Recorder::new(&scenario.dir, "single", "")?);
        let daemon = scenario.daemon(&format!(
            "{}numprocs=3\nprocess_name=member%(process_num)d\n{}",
            pool.section("pool", "REMOTE_COMMUNICATION"),
            single.section("single", "EVENT")
        ))?;
        for name in ["pool:member0", "pool:member1", "pool:member2", "single"] {
            daemon.wait_state(name, "RUNNING")?;
        }
        for number in 0..10 {
            daemon.send_remote_event("n", &number.to_string())?;
        }
        let of_pool = pool.wait_all("number 10", |events| events.len() == 10)?;
        let of_single = single.wait_all("number 10", |events| {
            events.iter().filter(|event| is_remote(event, "n")).count() == 10
        })?;
        let key = |event: &RecordedEvent| event.body.clone();
        let mut bodies: Vec<String> = of_pool.iter().map(key).collect();
        bodies.sort();
        scenario.note_all("pool", bodies.iter().map(|body| body.escape_debug().to_string()));
        let single: Vec<_> = of_single.iter().filter(|event| is_remote(event, "n")).map(key).collect();
        scenario.note_all("single", single.iter().map(|body| body.escape_debug().to_string()));
        // One event is one serial, whoever gets it.
        let serial_of = |events: &[RecordedEvent], body: &str| {
            events
                .iter()
                .find(|event| event.body == body)
                .map(|event| event.token("serial").unwrap().to_owned())
        };
        let same = bodies.iter().all(|body| serial_of(&of_pool, body) == serial_of(&of_single, body));
        scenario.note(format!("same serials: {same}"));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_full_buffer_drops_the_oldest_and_says_so() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "mute", "MUTE")?;
        let section =
            recorder.section("recorder", "REMOTE_COMMUNICATION").replace("buffer_size=1000", "buffer_size=2");
        let daemon = scenario.daemon(&section)?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.send_remote_event("n", "0")?;
        recorder.wait("number 0", |event| is_remote(event, "n"))?;
        for number in 1..=4 {
            daemon.send_remote_event("n", &number.to_string())?;
        }
        daemon.wait_log("discarding event 2")?;
        scenario.note_all("log", daemon.log_lines().into_iter().filter(|line| line.contains("event")));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_stopped_listener_is_stopped_and_its_events_wait() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "resting", "")?;
        let daemon = scenario.daemon(&recorder.section("recorder", "REMOTE_COMMUNICATION"))?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.send_remote_event("n", "0")?;
        recorder.wait("number 0", |event| is_remote(event, "n"))?;
        // A stop in the midst of an event would bring it again.
        daemon.wait_log("recorder: event was processed")?;
        scenario.note_call(&daemon, "stopProcess", &["recorder".into()])?;
        daemon.send_remote_event("n", "1")?;
        daemon.send_remote_event("n", "2")?;
        scenario.note_call(&daemon, "startProcess", &["recorder".into()])?;
        let events = recorder.wait_all("number 2", |events| events.len() == 3)?;
        note_whole(scenario, "events", &events);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ticks_say_when() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "ticks", "")?;
        let _daemon = scenario.daemon(&recorder.section("recorder", "TICK_5"))?;
        let events = recorder.wait_all("of two ticks", |events| events.len() == 2)?;
        let when: Vec<u64> =
            events.iter().map(|event| event.body_token("when").unwrap().parse().unwrap()).collect();
        scenario.note(format!("{} {} {}", when[0] % 5, when[1] - when[0], events[0].header));
        Ok(())
    })
    .unwrap();
}

#[test]
fn the_supervisors_own_states_are_events_until_the_last() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "own", "")?;
        let listener = recorder.section("recorder", "SUPERVISOR_STATE_CHANGE");
        // Something has to take its time: otherwise the original may end the listener before that has read its last event.
        let deaf = "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'\nstartsecs=0\nstopwaitsecs=3\nstdout_logfile={dir}/deaf\n";
        let mut daemon = scenario.daemon(&format!("{listener}{deaf}"))?;
        daemon.wait_state("recorder", "RUNNING")?;
        recorder.wait("of the start", |event| event.name() == "SUPERVISOR_STATE_CHANGE_RUNNING")?;
        daemon.wait_file("deaf", "up")?;
        daemon.signal(Signal::TERM)?;
        scenario.note(daemon.wait_end()?);
        let events = recorder.wait("of the end", |event| event.name() == "SUPERVISOR_STATE_CHANGE_STOPPING")?;
        note_whole(scenario, "events", &events);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ours_lets_a_listener_read_its_last_events_however_fast_the_programs_end() {
    let dir = TestDir::new().unwrap();
    let recorder = Recorder::new(&dir, "last", "").unwrap();
    let listener = recorder.section("recorder", "SUPERVISOR_STATE_CHANGE,PROCESS_STATE_STOPPED");
    let programs =
        "[program:p]\ncommand=sleep 1000\nstartsecs=0\nnumprocs=20\nprocess_name=p%(process_num)d\n";
    let mut daemon = Daemon::start(&dir, Implementation::Ours, &format!("{listener}{programs}")).unwrap();
    daemon.wait_state("recorder", "RUNNING").unwrap();
    daemon.wait_state("p:p19", "RUNNING").unwrap();
    assert_eq!(daemon.stop().unwrap().code(), Some(0));
    let names: Vec<_> = recorder.events().unwrap().iter().map(|event| event.name().to_owned()).collect();
    assert!(names.contains(&"SUPERVISOR_STATE_CHANGE_STOPPING".to_owned()), "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "PROCESS_STATE_STOPPED").count(), 20, "{names:?}");
}

#[test]
fn output_of_any_length_becomes_events_without_a_gap() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "long", "")?;
        let listener = recorder.section("recorder", "PROCESS_LOG");
        let program = "[program:long]\ncommand=sh -c 'read go; seq 100000 199999; exec sleep 1000'\nstartsecs=0\nstdout_events_enabled=true\nstdout_logfile={dir}/long.log\nstdout_logfile_maxbytes=0\n";
        let daemon = scenario.daemon(&format!("[supervisord]\nloglevel=info\n{listener}{program}"))?;
        daemon.wait_state("recorder", "RUNNING")?;
        daemon.wait_state("long", "RUNNING")?;
        daemon.write_stdin("long", "go\n")?;
        let text = |events: &[RecordedEvent]| events.iter().filter_map(|event| event.body.split_once('\n')).map(|(_, data)| data).collect::<String>();
        let events = recorder.wait_all("of the last line", |events| text(events).ends_with("199999\n"))?;
        let expected: String = (100_000..200_000).map(|number| format!("{number}\n")).collect();
        scenario.note(format!("whole: {} {}", text(&events) == expected, daemon.file("long.log") == expected));
        Ok(())
    })
    .unwrap();
}

#[test]
fn two_types_that_meet_in_one_event_bring_it_once() {
    let dir = TestDir::new().unwrap();
    let recorder = Recorder::new(&dir, "once", "").unwrap();
    let section = recorder.section("recorder", "EVENT, REMOTE_COMMUNICATION,remote_communication");
    let daemon = Daemon::start(&dir, Implementation::Ours, &section).unwrap();
    daemon.wait_state("recorder", "RUNNING").unwrap();
    daemon.send_remote_event("n", "1").unwrap();
    daemon.send_remote_event("n", "2").unwrap();
    let events = recorder.wait("number 2", |event| event.body == "type:n\n2").unwrap();
    let mine: Vec<_> = events.iter().filter(|event| event.name() == "REMOTE_COMMUNICATION").collect();
    // The original sends each event for each of the two types.
    assert_eq!(mine.len(), 2, "{mine:#?}");
}

#[test]
fn a_pool_that_is_removed_and_added_listens_again() {
    compare_daemons(|scenario| {
        let recorder = Recorder::new(&scenario.dir, "pool", "")?;
        let daemon = scenario.daemon(&recorder.section("pool", "REMOTE_COMMUNICATION"))?;
        daemon.wait_state("pool", "RUNNING")?;
        daemon.send_remote_event("n", "1")?;
        recorder.wait("number 1", |event| event.body == "type:n\n1")?;
        scenario.note_call(&daemon, "removeProcessGroup", &["pool".into()])?;
        scenario.note_call(&daemon, "stopProcess", &["pool".into()])?;
        scenario.note_call(&daemon, "removeProcessGroup", &["pool".into()])?;
        // What comes here is lost in the original, and waits in ours.
        scenario.note_call(&daemon, "addProcessGroup", &["pool".into()])?;
        daemon.wait_state("pool", "RUNNING")?;
        daemon.send_remote_event("n", "2")?;
        let events = recorder.wait("number 2", |event| event.body == "type:n\n2")?;
        note_whole(scenario, "events", &events);
        Ok(())
    })
    .unwrap();
}
