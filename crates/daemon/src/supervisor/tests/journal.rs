//! What the journal has of the owner's work, and that there is none where the configuration does not ask for it.

use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::journal::{
    EndReport, JournalEntry, JournalEvent, JournalRecord, PoolTrouble, PreviousRun, SupervisorStop,
};
use ironlance_core::process::exit_status::ExitStatus;
use ironlance_host::journal::JournalReader;
use nix::sys::signal::Signal;

use super::Fake;
use crate::request::RpcRequest;
use crate::state::command::Command;

const STATE: &str = "environment=IRONLANCE_STATE=\"FOLDER/state\"\n";
const WATCH: &str = "[watch]\n";
const PROGRAM: &str = "[program:web]\ncommand=cat\nstartsecs=1\nstartretries=1\nautorestart=true\n\
                       stdout_logfile=FOLDER/web.log\nstderr_logfile=FOLDER/web.err\n";
const POOL: &str = "[eventlistener:pool]\ncommand=cat\nstartsecs=0\nevents=REMOTE_COMMUNICATION\n\
                    buffer_size=1\nstdout_logfile=NONE\nstderr_logfile=NONE\n";

fn started(sections: &str) -> Fake {
    let mut fake = Fake::new(&format!("{STATE}{sections}"));
    fake.start_all();
    fake.turn();
    fake
}

fn journal_folder(fake: &Fake) -> Option<PathBuf> {
    let supervisors = std::fs::read_dir(fake.folder.path().join("state/supervisors")).ok()?;
    supervisors.map(|folder| folder.unwrap().path().join("journal")).next()
}

fn records(fake: &Fake) -> Vec<JournalRecord> {
    let piece = JournalReader::new(&journal_folder(fake).unwrap(), 1).read().unwrap();
    assert_eq!(piece.missing, 0);
    piece.records
}

/// The events of a process, or of all.
fn events(fake: &Fake, process: Option<&str>) -> Vec<JournalEvent> {
    let events = records(fake).into_iter().filter_map(|record| match record.entry {
        JournalEntry::Event(event) => Some(*event),
        _ => None,
    });
    events.filter(|event| process.is_none_or(|name| event.process.as_deref() == Some(name))).collect()
}

fn last_of(fake: &Fake, state: &str) -> JournalEvent {
    let events = events(fake, Some("web"));
    events.into_iter().rfind(|event| event.event == format!("PROCESS_STATE_{state}")).unwrap()
}

fn remote(kind: &str) -> RpcRequest {
    RpcRequest::SendRemoteCommEvent { kind: kind.into(), data: "{}".into() }
}

#[test]
fn without_an_alert_section_nothing_is_recorded_and_no_folder_is_made() {
    let mut fake = started(PROGRAM);
    drop(fake.call(remote("ironlance.silence")));
    fake.signal(Signal::SIGTERM);
    assert!(!fake.owner.trace.iter().any(|command| matches!(command, Command::Journal(_))));
    assert!(!fake.folder.path().join("state").exists());
}

#[test]
fn an_end_is_recorded_with_all_that_is_known_of_it() {
    let mut fake = started(&format!("{PROGRAM}{WATCH}"));
    fake.advance(Duration::from_millis(2500));
    fake.turn();
    let pid = fake.pid_of("web").unwrap();
    fake.write_output(pid, false, b"hello\n");
    fake.write_output(pid, true, b"no space\nleft\n");
    fake.exit(pid, 3);
    let names: Vec<String> = events(&fake, Some("web")).into_iter().map(|event| event.event).collect();
    assert_eq!(names, ["PROCESS_STATE_STARTING", "PROCESS_STATE_RUNNING", "PROCESS_STATE_EXITED"]);
    let end = EndReport {
        why: "exit status 3".into(),
        status: Some(3),
        up_ms: 2500,
        ends: 1,
        stdout: "hello".into(),
        stderr: "no space\nleft".into(),
        ..EndReport::default()
    };
    let exited = JournalEvent {
        event: "PROCESS_STATE_EXITED".into(),
        group: Some("web".into()),
        process: Some("web".into()),
        from: Some("RUNNING".into()),
        expected: Some(false),
        pid: Some(pid),
        restarts: true,
        end: Some(end),
        ..JournalEvent::default()
    };
    assert_eq!(last_of(&fake, "EXITED"), exited);
}

#[test]
fn a_start_that_fails_is_not_explained_by_an_earlier_exit() {
    let mut fake = started(&format!("{PROGRAM}{WATCH}"));
    let pid = fake.pid_of("web").unwrap();
    fake.exit(pid, 1);
    let backoff = last_of(&fake, "BACKOFF");
    assert_eq!((backoff.tries, backoff.end.unwrap().why), (Some(1), "exit status 1".to_owned()));
    fake.world.borrow_mut().failing_spawns = 1;
    fake.turn_until(|fake| events(fake, Some("web")).last().unwrap().event == "PROCESS_STATE_FATAL");
    let (backoff, fatal) = (last_of(&fake, "BACKOFF"), last_of(&fake, "FATAL"));
    assert_eq!((backoff.tries, fatal.tries), (Some(2), Some(2)));
    let (end, of_fatal) = (backoff.end.unwrap(), fatal.end.unwrap());
    assert!(end.why.contains("Too many processes"), "{end:?}");
    assert_eq!((end.status, end.ends, &of_fatal), (None, 0, &end));
}

#[test]
fn a_stop_says_who_asked_for_it() {
    let mut fake = started(&format!("{PROGRAM}{WATCH}"));
    let pid = fake.pid_of("web").unwrap();
    fake.signal(Signal::SIGTERM);
    fake.turn();
    fake.world.borrow_mut().exit(pid, ExitStatus::Signal { number: 15, core: false });
    fake.signal(Signal::SIGCHLD);
    let end = last_of(&fake, "STOPPED").end.unwrap();
    assert_eq!(end.signal.as_deref(), Some("SIGTERM"));
    let by = "the shutdown, asked for by SIGTERM to supervisord";
    assert_eq!((end.why.as_str(), end.requested_by.as_deref()), ("terminated by SIGTERM", Some(by)));
}

#[test]
fn messages_are_recorded_where_they_are_ours_and_communication_where_it_is_a_heartbeat() {
    let heart = "[program:heart]\ncommand=cat\nstdout_capture_maxbytes=1000\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let sections = format!("{heart}heartbeat=comm within 1m\n{}{WATCH}", heart.replace("heart", "other"));
    let mut fake = started(&sections);
    for name in ["heart", "other"] {
        let pid = fake.pid_of(name).unwrap();
        fake.write_output(pid, false, b"<!--XSUPERVISOR:BEGIN-->alive<!--XSUPERVISOR:END-->");
        fake.turn();
    }
    for kind in ["ironlance.ack", "deploy"] {
        drop(fake.call(remote(kind)));
    }
    let told: Vec<JournalEvent> =
        events(&fake, None).into_iter().filter(|event| event.event.contains("COMM")).collect();
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.process.as_deref(), event.kind.as_deref(), event.data.as_deref()))
        .collect();
    assert_eq!(told, [(Some("heart"), None, Some("alive")), (None, Some("ironlance.ack"), Some("{}"))]);
}

#[test]
fn an_event_is_in_the_journal_before_a_listener_gets_it_and_bears_its_serial() {
    let mut fake = started(&format!("{POOL}{WATCH}"));
    let pid = fake.pid_of("pool").unwrap();
    fake.write_output(pid, false, b"READY\n");
    fake.turn();
    let before = fake.owner.trace.len();
    drop(fake.call(remote("ironlance.ack")));
    let told: Vec<&Command> = fake.owner.trace[before..]
        .iter()
        .filter(|command| matches!(command, Command::Journal(_) | Command::WriteStdin { .. }))
        .collect();
    let [Command::Journal(_), Command::WriteStdin { bytes, .. }] = told[..] else { panic!("{told:?}") };
    let serial = events(&fake, None).last().unwrap().serial.unwrap();
    let header = String::from_utf8_lossy(bytes).into_owned();
    assert!(header.contains(&format!(" serial:{serial} ")), "{header}");
}

#[test]
fn a_pool_in_trouble_is_recorded() {
    let mut fake = started(&format!("{POOL}{WATCH}"));
    for _ in 0..5 {
        drop(fake.call(remote("deploy")));
    }
    let pid = fake.pid_of("pool").unwrap();
    fake.write_output(pid, false, b"READY\nnonsense that is no RESULT\n");
    fake.turn();
    let pools = records(&fake).into_iter().filter_map(|record| match record.entry {
        JournalEntry::Pool { pool } => Some(pool),
        _ => None,
    });
    let pools: Vec<_> = pools.collect();
    assert_eq!((pools[0].trouble, pools[0].name.as_str()), (PoolTrouble::Overflow, "pool"));
    assert!(pools[0].lost > 0);
}

#[test]
fn the_end_of_the_daemon_is_recorded_but_after_a_fault_of_its_own() {
    for is_fault in [false, true] {
        let mut fake = started(WATCH);
        if is_fault {
            fake.owner.emergency_stop("a test");
        } else {
            fake.signal(Signal::SIGTERM);
        }
        fake.finish();
        let records = records(&fake);
        let JournalEntry::Start { start } = &records[0].entry else { panic!("{records:?}") };
        assert_eq!((start.previous, start.identifier.as_str()), (PreviousRun::None, "supervisor"));
        let is_stop = matches!(&records.last().unwrap().entry, JournalEntry::Stop { stop: SupervisorStop { how } } if how == "shutdown");
        assert_eq!(is_stop, !is_fault, "{records:?}");
    }
}

#[test]
fn reading_the_configuration_again_begins_and_ends_the_journal() {
    let mut fake = started(PROGRAM);
    let file = fake.folder.path().join("supervisord.conf");
    let plain = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{plain}{WATCH}")).unwrap();
    drop(fake.call(RpcRequest::ReloadConfig));
    drop(fake.call(remote("ironlance.ack")));
    assert_eq!(events(&fake, None).last().unwrap().kind.as_deref(), Some("ironlance.ack"));
    std::fs::write(&file, plain).unwrap();
    drop(fake.call(RpcRequest::ReloadConfig));
    drop(fake.call(remote("ironlance.unack")));
    assert!(records(&fake).last().unwrap().is_stop());
}
