//! `ironlance watch` under our supervisord and under Python's: what people are told of crashes, storms and deploys, and that a
//! kill at any time costs and doubles nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use ironlance_e2e::daemon::send;
use ironlance_e2e::wait::pause;
use ironlance_e2e::{Daemon, Implementation, Mailer, TIMEOUT, TestDir, until};
use rustix::process::Signal;

const BOTH: [Implementation; 2] = [Implementation::Ours, Implementation::Original];

/// The sections that make watch run with these keys of `[alert:ops]`.
fn sections(implementation: Implementation, mailer: &Mailer, keys: &str) -> String {
    let alert = format!("[alert:ops]\nmail=ops@example.com\nsendmail={}\n{keys}\n", mailer.command());
    let ironlance = Implementation::Ours.path("ironlance").unwrap().display().to_string();
    let listener = format!(
        "[eventlistener:watch]\ncommand={ironlance} watch -c {{dir}}/supervisord.conf\nstartsecs=0\n\
        events=PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,PROCESS_COMMUNICATION\n\
        buffer_size=1000\nstderr_logfile={{dir}}/watch.err\n"
    );
    match implementation {
        Implementation::Ours => alert,
        Implementation::Original => alert + &listener,
    }
}

fn start(
    dir: &TestDir,
    implementation: Implementation,
    mailer: &Mailer,
    keys: &str,
    programs: &str,
) -> Daemon {
    let sections = sections(implementation, mailer, keys);
    Daemon::start(dir, implementation, &format!("{sections}{programs}")).unwrap()
}

/// Runs `ironlance alerts`; gives its status and what it wrote.
fn alerts(dir: &TestDir, args: &[&str]) -> (i32, String) {
    let mut command = dir.ours("ironlance").unwrap();
    command.arg("alerts").arg("-c").arg(dir.path("supervisord.conf")).args(args);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code().unwrap_or(-1), text.concat())
}

/// The incidents that are open, by `alerts list --json`.
fn open(dir: &TestDir) -> usize {
    alerts(dir, &["list", "--json"]).1.lines().count()
}

const SLEEP: &str = "command=sleep 1000\nstartsecs=0\n";

#[test]
fn a_crash_is_told_once_with_its_cause_and_that_it_runs_again() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let program =
            "[program:web]\ncommand=sh -c \"echo 'no space left' >&2; exec sleep 1000\"\nstartsecs=0\n";
        let daemon = start(&dir, implementation, &mailer, "group_wait=2s", program);
        daemon.wait_state("web", "RUNNING").unwrap();
        until("watch to be ready", TIMEOUT, || Ok(dir.path("state/outbox/new").exists().then_some(())))
            .unwrap();
        daemon.hit("web", Signal::KILL).unwrap();
        let mail = mailer.wait(1).unwrap().remove(0);
        assert!(mail.contains("SIGKILL"), "{implementation:?}: {mail}");
        assert!(mail.contains("web"), "{mail}");
        until("the incident to be listed", TIMEOUT, || Ok((open(&dir) == 1).then_some(()))).unwrap();
        assert_eq!(mailer.mails().unwrap().len(), 1);
    }
}

#[test]
fn twelve_programs_that_are_given_up_are_told_in_one_message() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let programs: String = (0..12)
            .map(|n| {
                format!("[program:p{n:02}]\ncommand=/nonexistent/p{n}\nstartretries=0\nautostart=true\n")
            })
            .collect();
        let daemon = start(&dir, implementation, &mailer, "group_wait=3s", &programs);
        for n in 0..12 {
            daemon.wait_state(&format!("p{n:02}"), "FATAL").unwrap();
        }
        let mail = mailer.wait(1).unwrap().remove(0);
        for n in 0..12 {
            assert!(mail.contains(&format!("p{n:02}")), "{implementation:?}: p{n:02} in {mail}");
        }
        assert_eq!((open(&dir), mailer.mails().unwrap().len()), (12, 1));
    }
}

#[test]
fn what_operators_do_is_told_to_nobody() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let programs = format!("[program:web]\n{SLEEP}[program:db]\n{SLEEP}");
        let daemon = start(&dir, implementation, &mailer, "group_wait=0", &programs);
        daemon.wait_state("web", "RUNNING").unwrap();
        daemon.call("stopProcess", &["web".into()]).unwrap().unwrap();
        daemon.call("startProcess", &["web".into()]).unwrap().unwrap();
        // What comes after it is told: so all before has been judged.
        daemon.hit("db", Signal::KILL).unwrap();
        let mail = mailer.wait(1).unwrap().remove(0);
        assert!(mail.contains("db") && !mail.contains("web"), "{mail}");
        assert_eq!(mailer.mails().unwrap().len(), 1);
    }
}

#[test]
fn a_silence_holds_back_what_happens_and_what_still_burns_afterwards_is_told() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let programs = format!("[program:web]\n{SLEEP}autorestart=false\n[program:db]\n{SLEEP}");
        let daemon = start(&dir, implementation, &mailer, "group_wait=0\ngroup_interval=1s", &programs);
        daemon.wait_state("web", "RUNNING").unwrap();
        let (status, text) = until("the silence", TIMEOUT, || {
            Ok(Some(alerts(&dir, &["silence", "web", "1h", "--comment", "deploy"]))
                .filter(|(status, _)| *status == 0))
        })
        .unwrap();
        assert!(status == 0 && text.starts_with("silence 1: 1 program(s): web; until "), "{text}");
        daemon.hit("web", Signal::KILL).unwrap();
        until("the incident", TIMEOUT, || Ok((open(&dir) == 1).then_some(()))).unwrap();
        let (_, list) = alerts(&dir, &["list"]);
        assert!(list.contains("held: silence 1 until ") && list.contains("\"deploy\""), "{list}");
        assert_eq!(mailer.mails().unwrap().len(), 0);
        let (status, text) = alerts(&dir, &["end-silence", "1"]);
        assert_eq!((status, text.as_str()), (0, "silence 1 is over\n"));
        let mail = mailer.wait(1).unwrap().remove(0);
        assert!(mail.contains("web"), "{mail}");
        assert_eq!(alerts(&dir, &["list", "--check"]).0, 3);
    }
}

#[test]
fn an_acknowledgement_is_shown_and_explain_names_the_line_of_the_configuration() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let programs = format!("[program:web]\n{SLEEP}autorestart=false\n");
    let daemon = start(&dir, Implementation::Ours, &mailer, "group_wait=0", &programs);
    daemon.wait_state("web", "RUNNING").unwrap();
    daemon.hit("web", Signal::KILL).unwrap();
    mailer.wait(1).unwrap();
    until("the incident", TIMEOUT, || Ok((open(&dir) == 1).then_some(()))).unwrap();
    assert_eq!(alerts(&dir, &["ack", "web"]).1, "incident 1 is acknowledged\n");
    assert!(alerts(&dir, &["list"]).1.contains("acked by "));
    assert_eq!(alerts(&dir, &["unack", "1"]).0, 0);
    assert_eq!(alerts(&dir, &["ack", "77"]).0, 1);
    let (_, text) = alerts(&dir, &["explain", "web", "--cause", "fatal"]);
    assert!(text.contains("supervisord.conf:") && text.contains("ops: yes"), "{text}");
    let (status, text) = alerts(&dir, &["test", "ops"]);
    assert!(status == 0 && text.contains("it was taken"), "{text}");
    assert_eq!(mailer.wait(2).unwrap().len(), 2);
    // It is in no list of processes.
    assert_eq!(daemon.call("getAllProcessInfo", &[]).unwrap().unwrap().items().len(), 1);
    assert!(daemon.listener("watch").is_ok());
}

#[test]
fn a_kill_of_watch_at_any_time_loses_and_doubles_no_message() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let programs: String =
            (0..8).map(|n| format!("[program:victim-{n}]\n{SLEEP}autorestart=false\n")).collect();
        let keys = "group_wait=0\ngroup_interval=0\ngroup_by=program\nexcept=watch\non=crash,loop,fatal";
        let daemon = start(&dir, implementation, &mailer, keys, &programs);
        for n in 0..8 {
            let name = format!("victim-{n}");
            daemon.wait_state(&name, "RUNNING").unwrap();
            daemon.hit(&name, Signal::KILL).unwrap();
            // At another moment each time.
            pause(Duration::from_millis(n * 7));
            for process in dir.processes_named(" watch -c ") {
                let _ = send(i64::from(process.as_raw_nonzero().get()), Signal::KILL);
            }
        }
        let mails = mailer.wait(8).unwrap();
        for n in 0..8 {
            let name = format!("victim-{n}");
            let told = mails.iter().filter(|mail| mail.contains(&name)).count();
            assert_eq!(told, 1, "{implementation:?}: {name}");
        }
        until("all to be listed", TIMEOUT, || Ok((open(&dir) >= 8).then_some(()))).unwrap();
        assert_eq!(mailer.mails().unwrap().len(), 8);
    }
}

#[test]
fn without_a_state_folder_each_event_is_told_from_memory() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        std::fs::remove_dir_all(dir.path("state")).ok();
        std::fs::write(dir.path("state"), "in the way").unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let programs: String =
            (0..3).map(|n| format!("[program:victim-{n}]\n{SLEEP}autorestart=false\n")).collect();
        let keys = "group_wait=0\ngroup_interval=0\ngroup_by=program\non=crash";
        let daemon = start(&dir, implementation, &mailer, keys, &programs);
        for n in 0..3 {
            let name = format!("victim-{n}");
            daemon.wait_state(&name, "RUNNING").unwrap();
            daemon.hit(&name, Signal::KILL).unwrap();
            let told = || Ok(mailer.mails()?.iter().any(|mail| mail.contains(&name)).then_some(()));
            until("the crash to be told", TIMEOUT, told).unwrap();
        }
    }
}
