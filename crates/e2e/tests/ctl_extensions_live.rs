//! What our supervisorctl does beyond the original's while something goes on: events, several at a time, progress.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Stdio};
use std::time::Duration;

use ironlance_e2e::ctl_fixture::BackgroundCtl;
use ironlance_e2e::{CtlFixture, Implementation, TIMEOUT, until};
use rustix::process::Signal;

const VICTIM: &str = "[program:victim]\ncommand=sleep 1000\nstartsecs=0\nautorestart=true\n";

fn victim() -> CtlFixture {
    let fixture = CtlFixture::new(Implementation::Ours, VICTIM).unwrap();
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    fixture
}

fn hail(fixture: &CtlFixture, data: &str) {
    fixture.daemon.send_remote_event("hail", data).unwrap();
}

/// `events` beside the test, as soon as it hears; the arguments must let REMOTE_COMMUNICATION through.
fn watch(fixture: &CtlFixture, line: &str) -> BackgroundCtl {
    let watcher = fixture.in_background(line).unwrap();
    until("the watcher to hear", TIMEOUT, || {
        hail(fixture, "are you there");
        Ok(watcher.text().contains("are you there").then_some(()))
    })
    .unwrap();
    watcher
}

#[test]
fn an_event_is_a_line_at_once_with_the_reason_until_an_interrupt() {
    let fixture = victim();
    let mut watcher = watch(&fixture, "events");
    let pid = fixture.daemon.hit("victim", Signal::KILL).unwrap();
    let line = watcher.wait("the end", |line| line.contains("PROCESS_STATE_EXITED")).unwrap();
    let output =
        format!("PROCESS_STATE_EXITED victim: from RUNNING, not expected, pid {pid}; terminated by SIGKILL");
    assert!(line.ends_with(&output), "{line:?}");
    // `2026-11-23 16:42:39,808`, as in the daemon's log.
    assert_eq!(line.find(" PROCESS_STATE"), Some(23), "{line:?}");
    watcher
        .wait("the next life", |line| line.contains("PROCESS_STATE_RUNNING victim: from STARTING, pid "))
        .unwrap();
    hail(&fixture, "\u{1b}[2J\u{9b}2J two\nlines");
    let line = watcher.wait("the message", |line| line.contains("two")).unwrap();
    assert!(line.contains(r"two\nlines") && !line.contains(char::is_control), "{line:?}");
    watcher.signal(Signal::INT).unwrap();
    assert_eq!(watcher.end().unwrap(), 0);
    let text = watcher.text();
    assert!(text.lines().last().unwrap().contains("two") && !text.contains("Ctrl-C"), "{text}");
    assert_eq!(fixture.daemon.file("beside.err"), "");
}

#[test]
fn only_events_of_the_types_that_were_asked_for_are_shown() {
    let mut fixture = victim();
    let watcher = watch(&fixture, "events REMOTE_COMMUNICATION,PROCESS_STATE_EXITED PROCESS_STATE_FATAL");
    let before = fixture.daemon.hit("victim", Signal::KILL).unwrap();
    watcher.wait("the end", |line| line.contains("PROCESS_STATE_EXITED")).unwrap();
    until("the next life", TIMEOUT, || Ok((fixture.daemon.pid_of("victim")? != before).then_some(())))
        .unwrap();
    fixture.daemon.wait_state("victim", "RUNNING").unwrap();
    hail(&fixture, "the last");
    watcher.wait("the last", |line| line.ends_with("REMOTE_COMMUNICATION hail: the last")).unwrap();
    let text = watcher.text();
    assert!(!text.contains("STARTING victim") && !text.contains("RUNNING victim"), "{text}");
    for (types, printed) in [
        ("NONSENSE", "Error: cannot watch \"NONSENSE\": there is no such event type"),
        ("PROCESS_STATE,no-name", "Error: no event type no-name"),
    ] {
        let (status, lines) = fixture.lines(&format!("events {types}")).unwrap();
        assert_eq!((status, lines[0].as_str()), (2, printed));
    }
}

#[test]
fn events_in_json_are_an_object_a_line() {
    let fixture = victim();
    let watcher = watch(&fixture, "events --json");
    let pid = fixture.daemon.hit("victim", Signal::KILL).unwrap();
    let line = watcher.wait("the end", |line| line.contains("PROCESS_STATE_EXITED")).unwrap();
    let end: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&end["group"], &end["process"], &end["event"]),
        (&"victim".into(), &"victim".into(), &"PROCESS_STATE_EXITED".into())
    );
    assert_eq!(end["why"], "terminated by SIGKILL");
    assert!(
        end["body"].as_str().unwrap().contains(&format!("pid:{pid}")) && end["at"].as_f64().unwrap() > 1e9
    );
    let odd = "\u{9b}2J\u{202e} é 队列 \"\\";
    hail(&fixture, odd);
    let line = watcher.wait("the message", |line| line.contains("队列")).unwrap();
    assert!(!line.contains(['\u{9b}', '\u{202e}']), "{line:?}");
    let message: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(message["body"], format!("type:hail\n{odd}"));
    assert!(watcher.text().lines().all(|line| line.starts_with('{')));
}

#[test]
fn the_end_of_the_daemon_ends_events_and_is_said() {
    let mut fixture = victim();
    let mut watcher = watch(&fixture, "events");
    fixture.daemon.stop().unwrap();
    assert_eq!(watcher.end().unwrap(), 1);
    let text = watcher.text();
    assert!(text.contains("PROCESS_STATE_STOPPED victim: from STOPPING, pid "), "{text}");
    assert_eq!(text.lines().last(), Some("events: supervisord has ended the stream"));
    let (status, lines) = fixture.lines("events").unwrap();
    assert_eq!((status, lines.len()), (7, 1), "{lines:?}");
}

#[test]
fn a_reader_that_leaves_ends_events_quietly() {
    let fixture = victim();
    let mut command = fixture.command("events").unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let head = |stdout: ChildStdout| {
        let mut first = String::new();
        BufReader::new(stdout).read_line(&mut first).unwrap();
        first
    };
    let stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || head(stdout));
    until("the first line to be read", TIMEOUT, || {
        hail(&fixture, "anybody");
        Ok(reader.is_finished().then_some(()))
    })
    .unwrap();
    assert!(reader.join().unwrap().contains("anybody"));
    until("the watcher to end", TIMEOUT, || {
        hail(&fixture, "nobody reads this");
        Ok(child.try_wait()?)
    })
    .unwrap();
    assert_eq!(std::io::read_to_string(child.stderr.take().unwrap()).unwrap(), "");
}

#[test]
fn events_on_a_terminal_have_colour_and_end_with_an_interrupt() {
    let fixture = victim();
    let mut terminal =
        fixture.on_terminal("events REMOTE_COMMUNICATION PROCESS_STATE", "xterm", &[]).unwrap();
    terminal.expect("==> Press Ctrl-C to exit <==").unwrap();
    until("the watcher to hear", TIMEOUT, || {
        hail(&fixture, "are you there");
        terminal.ends_within(Duration::from_millis(20))?;
        Ok(terminal.screen().contains("hail: are you there").then_some(()))
    })
    .unwrap();
    fixture.daemon.hit("victim", Signal::KILL).unwrap();
    terminal.expect("PROCESS_STATE_RUNNING victim").unwrap();
    terminal.keys("\x03").unwrap();
    assert_eq!((terminal.end().unwrap(), terminal.is_sane().unwrap()), (0, true));
    let bytes = String::from_utf8_lossy(terminal.bytes()).into_owned();
    assert!(bytes.contains("PROCESS_STATE_\x1b[31mEXITED\x1b[0m victim"), "{bytes:?}");
    assert!(bytes.contains("PROCESS_STATE_\x1b[32mRUNNING\x1b[0m victim"), "{bytes:?}");
}

/// Three that take their time, the first of `start c b a` longest.
const SLOW: &str = "[program:a]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n\
    [program:b]\ncommand=sleep 1000\nautostart=false\nstartsecs=1\n\
    [program:c]\ncommand=sleep 1000\nautostart=false\nstartsecs=2\n";

#[test]
fn several_are_started_at_the_same_time_and_told_of_in_the_order_of_the_names() {
    let mut fixture = CtlFixture::new(Implementation::Ours, SLOW).unwrap();
    let lines = ["c: started", "b: started", "none: ERROR (no such process)", "a: started"];
    // To the line: in a pipe there is no progress.
    assert_eq!(fixture.lines("start c b none a").unwrap(), output(1, &lines));
    // All were begun before the first of them was up.
    let log = fixture.daemon.log();
    let (before, after) = log.split_once("INFO success: ").unwrap();
    assert_eq!(
        (before.matches("INFO spawned: ").count(), after.matches("INFO spawned: ").count()),
        (3, 0),
        "{log}"
    );
}

fn watch_progress(kind: &str) {
    let fixture = CtlFixture::new(Implementation::Ours, SLOW).unwrap();
    let mut terminal = fixture.on_terminal("start a b c", kind, &[]).unwrap();
    terminal.expect(" of 3 … ").unwrap();
    let screen = terminal.screen();
    assert!(screen.lines().last().unwrap().starts_with("starting "), "{screen}");
    assert_eq!(terminal.end().unwrap(), 0);
    assert_eq!(terminal.screen().trim_end(), "a: started\nb: started\nc: started");
    assert!(!terminal.bytes().contains(&b'\x1b'));
    // One alone has no line.
    let mut one = fixture.on_terminal("restart a", kind, &[]).unwrap();
    assert_eq!(one.end().unwrap(), 0);
    assert_eq!(String::from_utf8_lossy(one.bytes()), "a: stopped\r\na: started\r\n");
}

#[test]
fn progress_is_shown_on_a_terminal_and_taken_away() {
    watch_progress("xterm");
}

#[test]
fn progress_needs_no_clever_terminal() {
    watch_progress("dumb");
}

/// Ignores SIGTERM by the time that its log says so.
const STUBBORN: &str = "[program:stubborn]\ncommand=sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1000; done'\n\
    startsecs=0\nstopwaitsecs=1000\nstdout_logfile={dir}/stubborn.log\n\
    [program:meek]\ncommand=sleep 1000\nstartsecs=0\n[program:slow]\ncommand=sleep 1000\nstartsecs=1000\nautostart=false\n";

fn stubborn() -> CtlFixture {
    let fixture = CtlFixture::new(Implementation::Ours, STUBBORN).unwrap();
    fixture.daemon.wait_file("stubborn.log", "ready").unwrap();
    fixture.daemon.wait_state("meek", "RUNNING").unwrap();
    fixture
}

fn output(status: i32, lines: &[&str]) -> (i32, Vec<String>) {
    (status, lines.iter().map(|line| (*line).to_owned()).collect())
}

#[test]
fn a_wait_that_is_too_long_is_given_up_in_words() {
    let mut fixture = stubborn();
    let late = "stubborn: ERROR (timeout after 1 s)";
    assert_eq!(fixture.lines("stop --timeout 1 stubborn meek").unwrap(), output(1, &[late, "meek: stopped"]));
    assert_eq!(fixture.daemon.state("stubborn").unwrap(), "STOPPING");
    let late = "slow: ERROR (timeout after 0.2 s)";
    assert_eq!(fixture.lines("start meek slow --timeout=0.2").unwrap(), output(1, &["meek: started", late]));
    assert_eq!(fixture.daemon.state("slow").unwrap(), "STARTING");
    for bad in ["x", "0", "-1", "1e9", "nan", ""] {
        let (status, lines) = fixture.lines(&format!("stop meek --timeout {bad}")).unwrap();
        let printed =
            format!("Error: cannot wait for {bad:?}: --timeout wants seconds, above 0 and at most a day");
        assert_eq!((status, lines), (2, vec![printed]));
    }
    assert_eq!(fixture.daemon.state("meek").unwrap(), "RUNNING");
}

#[test]
fn a_restart_whose_stop_comes_too_late_starts_only_the_others() {
    let mut fixture = stubborn();
    let before = fixture.daemon.pid_of("meek").unwrap();
    let late = "stubborn: ERROR (timeout after 0.5 s)";
    let lines = [late, "meek: stopped", "meek: started"];
    assert_eq!(fixture.lines("restart --timeout 0.5 stubborn meek").unwrap(), output(1, &lines));
    assert_ne!(fixture.daemon.pid_of("meek").unwrap(), before);
    assert_eq!(fixture.daemon.state("stubborn").unwrap(), "STOPPING");
}

#[test]
fn without_waiting_it_is_said_what_has_begun() {
    let mut fixture = stubborn();
    assert_eq!(fixture.lines("start --no-wait slow").unwrap(), output(0, &["slow: starting"]));
    assert_eq!(fixture.daemon.state("slow").unwrap(), "STARTING");
    let lines = ["stubborn: stopping", "meek: stopping"];
    assert_eq!(fixture.lines("stop stubborn meek --no-wait").unwrap(), output(0, &lines));
    assert_eq!(fixture.daemon.state("stubborn").unwrap(), "STOPPING");
    fixture.daemon.wait_state("meek", "STOPPED").unwrap();
    assert_eq!(fixture.lines("stop --no-wait meek").unwrap().1, ["meek: ERROR (not running)"]);
    assert_eq!(
        fixture.lines("restart --no-wait meek").unwrap().1,
        ["meek: ERROR (not running)", "meek: starting"]
    );
    assert_eq!(fixture.lines("restart --wait meek").unwrap(), output(0, &["meek: stopped", "meek: started"]));
}

#[test]
fn a_group_is_restarted_as_a_whole() {
    let config = "[group:g]\nprograms=one,two\n[program:one]\ncommand=sleep 1000\nstartsecs=0\n\
        [program:two]\ncommand=sleep 1000\nstartsecs=0\n[program:other]\ncommand=sleep 1000\nstartsecs=0\n";
    for implementation in Implementation::BOTH {
        let mut fixture = CtlFixture::new(implementation, config).unwrap();
        let names = ["g:one", "g:two", "other"];
        let pids =
            |fixture: &CtlFixture| names.map(|name| fixture.daemon.wait_state(name, "RUNNING").unwrap());
        for line in ["restart g:*", "restart g:", "restart g:*o*"] {
            let before = pids(&fixture);
            let (status, mut lines) = fixture.lines(line).unwrap();
            // The members of a group are told of as they are done.
            lines[..2].sort();
            lines[2..].sort();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let expected = ["g:one: stopped", "g:two: stopped", "g:one: started", "g:two: started"];
            assert_eq!((status, lines.as_slice()), (0, &expected[..]), "{line}");
            let after = pids(&fixture);
            assert!(after[0] != before[0] && after[1] != before[1] && after[2] == before[2], "{line}");
        }
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let config = "[program:bad]\ncommand=sh -c 'exit 3'\nstartsecs=0\nautorestart=false\n\
        [program:fine]\ncommand=sh -c 'exit 7'\nstartsecs=0\nautorestart=false\nexitcodes=7\n\
        [program:up]\ncommand=sleep 1000\nstartsecs=0\n";
    let mut fixture = CtlFixture::new(Implementation::Ours, config).unwrap();
    for (name, state) in [("bad", "EXITED"), ("fine", "EXITED"), ("up", "RUNNING")] {
        fixture.daemon.wait_state(name, state).unwrap();
    }
    for (line, status, pieces) in [
        (
            "status",
            3,
            &["\x1b[31mEXITED\x1b[0m    ", "\x1b[2mEXITED\x1b[0m    ", "\x1b[32mRUNNING\x1b[0m   pid"][..],
        ),
        ("why bad fine", 0, &["now        \x1b[31mEXITED\x1b[0m", "now        \x1b[2mEXITED\x1b[0m"]),
    ] {
        for (kind, variables, is_coloured) in [
            ("xterm", &[][..], true),
            ("xterm", &[("NO_COLOR", "")], true),
            ("xterm", &[("NO_COLOR", "1")], false),
            ("dumb", &[], false),
        ] {
            let mut terminal = fixture.on_terminal(line, kind, variables).unwrap();
            assert_eq!(terminal.end().unwrap(), status);
            let text = String::from_utf8_lossy(terminal.bytes()).into_owned();
            assert!(pieces.iter().all(|piece| text.contains(piece) == is_coloured), "{line} {kind} {text:?}");
            assert_eq!(text.contains('\x1b'), is_coloured, "{line} {kind} {text:?}");
        }
        assert!(!fixture.run(line).unwrap().stdout.contains(&b'\x1b'));
    }
}
