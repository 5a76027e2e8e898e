//! Tests of the specs, of the probe's keeper against a script in its place, and of actions against a made-up supervisor.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use ironlance_config::alerting::{
    Action, CheckTarget, HealthCheck, Heartbeat, HeartbeatSource, LoopRule, MemoryLimit, MemoryMeasure,
    ProgramAlerting, SeverityOverride,
};
use ironlance_core::alerting::incident::Family;
use ironlance_rpc::Client;
use rustix::event::{PollFd, Timespec, poll};
use tempfile::TempDir;

use super::*;

/// A deadline of the tests; it only matters when one fails.
const LONG: Duration = Duration::from_secs(20);

fn web() -> Namespec {
    Namespec::new("web", "web")
}

/// A program with a check of a unix socket's page, a limit and a heartbeat.
fn alerting() -> Alerting {
    let check = HealthCheck {
        name: "api".into(),
        target: CheckTarget::Unix { socket: "/run/x.sock".into(), target: Some("/health".into()) },
        every: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        fail: 3,
        of: 5,
        grace: Duration::from_secs(11),
        action: Action::Notify,
    };
    let memory_limit = MemoryLimit {
        bytes: 1 << 20,
        measure: MemoryMeasure::Pss,
        tree: true,
        lasting: Duration::ZERO,
        action: Action::Stop,
    };
    let within = Duration::from_secs(60);
    let program = ProgramAlerting {
        key_sources: BTreeMap::new(),
        receivers: None,
        on: None,
        severity: SeverityOverride::default(),
        runbook: None,
        labels: BTreeMap::new(),
        crash_loop: LoopRule { count: 5, window: Duration::from_secs(600) },
        recover_after: Duration::from_secs(30),
        startsecs: Duration::from_secs(1),
        checks: vec![check],
        memory_limit: Some(memory_limit),
        cpu_limit: None,
        heartbeat: Some(Heartbeat { source: HeartbeatSource::Output, within, action: Action::Notify }),
    };
    Alerting { programs: BTreeMap::from([(web(), program)]), ..Alerting::default() }
}

fn running(pid: i32, at: u64) -> Input {
    let state = ProcessState::Running;
    let program = web();
    let facts = Vec::new();
    Input::Process(ProcessReport {
        program,
        at,
        state,
        expected: false,
        restarts: false,
        pid: Some(pid),
        facts,
        tail: None,
    })
}

#[test]
fn a_configuration_becomes_checks() {
    let specs = specs::specs(&alerting());
    let shown: Vec<(Family, &str, u64, u32)> = specs
        .iter()
        .map(|spec| (spec.key.family, spec.key.name.as_str(), spec.every.as_secs(), spec.settled))
        .collect();
    let expected =
        [(Family::Health, "api", 10, 5), (Family::Memory, "", 5, 1), (Family::Heartbeat, "", 60, 1)];
    assert_eq!(shown, expected);
    let ProbeTarget::Page { url, .. } = &specs[0].target else { panic!("{specs:?}") };
    assert_eq!(url, "unix:/run/x.sock:/health");
    assert_eq!(specs[1].target, ProbeTarget::Memory { pss: true, tree: true, limit: 1 << 20 });
}

/// A shell script in the place of the probe.
fn script(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("probe");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Lets the keeper work until it has inputs, or until `until` holds.
fn work(checks: &mut ProgramChecks, until: impl Fn(&ProgramChecks) -> bool) -> Vec<Input> {
    let start = Instant::now();
    loop {
        let inputs = checks.work(start.elapsed());
        if !inputs.is_empty() || until(checks) {
            return inputs;
        }
        assert!(start.elapsed() < LONG, "nothing came");
        let descriptors: Vec<_> = checks.descriptors().collect();
        let mut fds: Vec<PollFd<'_>> =
            descriptors.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        let _ = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 }));
    }
}

#[test]
fn the_probe_is_told_of_checks_and_programs_and_its_readings_are_inputs() {
    let folder = TempDir::new().unwrap();
    let heard = folder.path().join("heard");
    let reading = r#"{"program":{"group":"web","process":"web"},"family":"health","name":"api","at":7,"result":{"unable":"x"}}"#;
    let text =
        format!("head -n 3 > {0}.new; mv {0}.new {0}; echo '{reading}'; cat > /dev/null", heard.display());
    let mut checks = ProgramChecks::new(script(&folder, &text), &alerting(), |line| panic!("{line}"));
    assert!(checks.needs_logs() && !checks.needs_beats());
    checks.observe(&running(7, 1000));
    // The same again, as a reconciliation tells it, is no news.
    let Input::Process(report) = running(7, 1900) else { unreachable!() };
    assert!(checks.work(Duration::ZERO).is_empty());
    checks.observe(&Input::Reconciled(vec![report]));
    checks.observe(&Input::GroupRemoved(web().group));
    let inputs = work(&mut checks, |_| false);
    let result = ReadingResult::Failed { reason: "x".into() };
    let reading = CheckReading { program: web(), family: Family::Health, check: "api".into(), at: 7, result };
    assert_eq!(inputs, [Input::Check(reading)]);
    let heard = fs::read_to_string(heard).unwrap();
    let orders: Vec<ProbeOrder> = heard
        .lines()
        .map(|line| ironlance_checks::probe::protocol::parse(line.as_bytes()).unwrap())
        .collect();
    let expected = [
        ProbeOrder::Checks(specs::specs(&alerting())),
        ProbeOrder::Running { program: web(), pid: 7, since: 1000, logs: Vec::new() },
        ProbeOrder::NotRunning { program: web() },
    ];
    assert_eq!(orders, expected);
}

#[test]
fn a_probe_that_ends_is_started_again_after_a_pause() {
    let folder = TempDir::new().unwrap();
    let mut checks = ProgramChecks::new(script(&folder, "exit 3"), &alerting(), |_| ());
    assert_eq!(checks.next_deadline(), Some(Duration::ZERO));
    work(&mut checks, |checks| checks.start_at.is_some_and(|at| at >= FIRST_PAUSE));
    assert_eq!(checks.pause, 2 * FIRST_PAUSE);
    assert!(checks.next_deadline().is_some() && checks.descriptors().next().is_none());
}

#[test]
fn without_checks_there_is_no_probe() {
    let mut checks = ProgramChecks::new("/nonexistent".into(), &Alerting::default(), |line| panic!("{line}"));
    checks.observe(&running(7, 1000));
    assert!(checks.work(LONG).is_empty());
    assert_eq!(checks.next_deadline(), None);
    checks.configure(&alerting());
    assert!(checks.next_deadline().is_some());
    checks.configure(&Alerting::default());
    assert_eq!(checks.next_deadline(), None);
}

/// A supervisor that gives `answers` one after the other, and the methods that it was asked for.
fn supervisor(answers: &'static [&'static str]) -> (Client, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let method = body.split("<methodName>").nth(1).and_then(|rest| rest.split('<').next());
            sender.send(method.unwrap_or_default().to_owned()).unwrap();
            let length = answer.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n");
            reader.get_mut().write_all((head + answer).as_bytes()).unwrap();
        }
    });
    (Client::new(&format!("http://127.0.0.1:{port}"), None, None).unwrap(), asked)
}

const TRUE: &str = "<?xml version='1.0'?><methodResponse><params><param><value><boolean>1</boolean></value>\
    </param></params></methodResponse>";
const FAULT: &str = "<?xml version='1.0'?><methodResponse><fault><value><struct><member><name>faultCode</name>\
    <value><int>70</int></value></member><member><name>faultString</name><value><string>NOT_RUNNING</string>\
    </value></member></struct></value></fault></methodResponse>";

fn outcomes(actions: &Actions) -> Vec<Input> {
    let timeout = Timespec::try_from(LONG).ok();
    let descriptor = actions.descriptor();
    poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::IN)], timeout.as_ref()).unwrap();
    actions.outcomes()
}

fn restart() -> Action {
    Action::Restart { most: 3, within: Duration::from_secs(600) }
}

#[test]
fn a_restart_stops_and_starts_and_leaves_no_record() {
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("watch/restarts");
    let (client, asked) = supervisor(&[TRUE, TRUE, TRUE]);
    let actions = Actions::open(client, record.clone(), |line| panic!("{line}")).unwrap();
    actions.start(web(), restart());
    assert_eq!(outcomes(&actions), [Input::Acted { program: web(), outcome: Ok(()) }]);
    assert!(!record.exists());
    actions.start(web(), Action::Signal("USR1".into()));
    assert_eq!(outcomes(&actions), [Input::Acted { program: web(), outcome: Ok(()) }]);
    let methods: Vec<String> = asked.try_iter().collect();
    assert_eq!(methods, ["supervisor.stopProcess", "supervisor.startProcess", "supervisor.signalProcess"]);
}

#[test]
fn what_cannot_be_stopped_is_told_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let (client, _asked) = supervisor(&[FAULT]);
    let actions = Actions::open(client, folder.path().join("restarts"), |line| panic!("{line}")).unwrap();
    actions.start(web(), restart());
    let [Input::Acted { outcome: Err(reason), .. }] = &outcomes(&actions)[..] else { panic!("it went well") };
    assert!(reason.starts_with("not stopped: ") && reason.contains("NOT_RUNNING"), "{reason}");
}

/// getProcessInfo of a program that was stopped 3 s ago and had been started 100 s before.
const STOPPED: &str = "<?xml version='1.0'?><methodResponse><params><param><value><struct>\
    <member><name>name</name><value><string>web</string></value></member>\
    <member><name>group</name><value><string>web</string></value></member>\
    <member><name>state</name><value><int>0</int></value></member>\
    <member><name>pid</name><value><int>0</int></value></member>\
    <member><name>start</name><value><int>1000</int></value></member>\
    <member><name>now</name><value><int>1100</int></value></member>\
    </struct></value></param></params></methodResponse>";

#[test]
fn what_a_killed_watch_had_stopped_is_started_by_the_next() {
    let folder = TempDir::new().unwrap();
    let record = folder.path().join("restarts");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    fs::write(&record, format!("{} web\n", now - 3)).unwrap();
    let (client, asked) = supervisor(&[STOPPED, TRUE]);
    let _actions = Actions::open(client, record.clone(), |_| ()).unwrap();
    assert_eq!(asked.recv_timeout(LONG).unwrap(), "supervisor.getProcessInfo");
    assert_eq!(asked.recv_timeout(LONG).unwrap(), "supervisor.startProcess");
    let start = Instant::now();
    while record.exists() {
        assert!(start.elapsed() < LONG, "the record stays");
        thread::park_timeout(Duration::from_millis(10));
    }
}
