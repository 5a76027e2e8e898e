//! Health checks, limits and heartbeats under `watch`: each fault is told once with its cause, and when it is over; what is to be
//! done is done, at most as often as allowed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ironlance_e2e::implementation::binary;
use ironlance_e2e::wait::pause;
use ironlance_e2e::{Daemon, Implementation, Mailer, ServerBehaviour, TIMEOUT, TestDir, WebServer, until};
use rustix::process::Signal;

const BOTH: [Implementation; 2] = [Implementation::Ours, Implementation::Original];
const WELL: ServerBehaviour = ServerBehaviour::Answer("200 OK", "all is well");

/// A supervisor with a receiver that is told at once, and one program with these keys.
fn start(dir: &TestDir, implementation: Implementation, mailer: &Mailer, keys: &str) -> Daemon {
    let alert = format!(
        "[watch]\nrecover_after=1s\n[alert:ops]\nmail=ops@example.com\nsendmail={}\ngroup_wait=0\n\
        group_interval=1s\n",
        mailer.command()
    );
    let listener = "[eventlistener:watch]\ncommand={bin} watch -c {dir}/supervisord.conf\nstartsecs=0\n\
        events=PROCESS_STATE,PROCESS_GROUP,SUPERVISOR_STATE_CHANGE,REMOTE_COMMUNICATION,PROCESS_COMMUNICATION\n\
        buffer_size=1000\nstderr_logfile={dir}/watch.err\n";
    let listener = listener.replace("{bin}", &binary().unwrap().display().to_string());
    let listener = if implementation == Implementation::Original { listener.as_str() } else { "" };
    let daemon =
        Daemon::start(dir, implementation, &format!("{alert}{listener}[program:web]\n{keys}")).unwrap();
    daemon.wait_state("web", "RUNNING").unwrap();
    daemon
}

/// The mails so far, once there are this many, and that there are no more.
fn mails(dir: &TestDir, mailer: &Mailer, count: usize) -> Vec<String> {
    let mails = mailer.wait(count).unwrap_or_else(|error| {
        let read = |name: &str| fs::read_to_string(dir.path(name)).unwrap_or_default();
        panic!("{error:#}\n{}\n{}", read("watch.err"), read("supervisord.log"))
    });
    assert_eq!(mails.len(), count, "{mails:#?}");
    mails
}

/// The open incidents with all that is known of them, by `alerts list --json`.
fn incidents(dir: &TestDir) -> String {
    let mut command = dir.ours("ironlance").unwrap();
    command.args(["alerts", "-c"]).arg(dir.path("supervisord.conf")).args(["list", "--json"]);
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

/// All that is written below a folder.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let text = |path: PathBuf| match path.is_dir() {
        true => texts(&path),
        false => String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned(),
    };
    entries.map(text).collect()
}

/// Waits until this is kept of an incident in the state folder.
fn wait_known(dir: &TestDir, needle: &str) {
    let state = dir.path("state");
    let known = until(needle, TIMEOUT, || Ok(texts(&state).contains(needle).then_some(())));
    known.unwrap_or_else(|error| panic!("{error:#}: {}", texts(&state)));
}

#[test]
fn a_page_that_fails_is_told_once_and_its_recovery_too() {
    for implementation in BOTH {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let server = WebServer::start(WELL).unwrap();
        let keys = format!(
            "command=sleep 1000\nstartsecs=0\nhealthcheck={}/ every 1s timeout 1s fail 2 of 3 grace 0 expect 200\n",
            server.url()
        );
        let _daemon = start(&dir, implementation, &mailer, &keys);
        until("the page to be asked", TIMEOUT, || Ok((server.requests().len() > 2).then_some(()))).unwrap();
        server.set_behaviour(ServerBehaviour::Answer("500 Oh Dear", ""));
        let mail = mails(&dir, &mailer, 1).remove(0);
        assert!(mail.contains("status 500 Oh Dear") && mail.contains("web"), "{implementation:?}: {mail}");
        // Another way to be ill is no news.
        server.set_behaviour(ServerBehaviour::Hang);
        pause(Duration::from_secs(3));
        assert_eq!(mailer.mails().unwrap().len(), 1);
        server.set_behaviour(WELL);
        let mails = mails(&dir, &mailer, 2);
        assert!(mails[1].contains("web"), "{}", mails[1]);
        until("the incident to be over", TIMEOUT, || Ok(incidents(&dir).is_empty().then_some(()))).unwrap();
    }
}

#[test]
fn a_program_is_restarted_as_often_as_allowed_and_then_people_are_told_only() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let server = WebServer::start(ServerBehaviour::Answer("500 Oh Dear", "")).unwrap();
    let keys = format!(
        "command=sleep 1000\nstartsecs=0\nhealthcheck={}/ every 1s timeout 1s fail 1 grace 0 then restart at most 2/10m\n",
        server.url()
    );
    let daemon = start(&dir, Implementation::Ours, &mailer, &keys);
    let starts = || daemon.log().matches("spawned: 'web'").count();
    until("two restarts", TIMEOUT, || Ok((starts() == 3).then_some(()))).unwrap();
    let mail = mails(&dir, &mailer, 1).remove(0);
    assert!(mail.contains("status 500 Oh Dear"), "{mail}");
    wait_known(&dir, "not restarted: 2 restarts in 10 min");
    pause(Duration::from_secs(3));
    assert_eq!(starts(), 3);
    assert_eq!(daemon.state("web").unwrap(), "RUNNING");
    assert!(!dir.path("state").join("restarts").exists());
}

#[test]
fn a_program_that_eats_memory_is_told_with_the_reading_and_stopped() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let eater = "python3 -c \"import time; x = b'x' * (64 << 20); time.sleep(1000)\"";
    let keys = format!("command={eater}\nstartsecs=0\nmemory_limit=32MB then stop\n");
    let daemon = start(&dir, Implementation::Ours, &mailer, &keys);
    let mail = mails(&dir, &mailer, 1).remove(0);
    assert!(mail.contains("web"), "{mail}");
    daemon.wait_state("web", "STOPPED").unwrap();
}

#[test]
fn a_heartbeat_that_stops_is_told_and_a_new_beat_ends_it() {
    for (source, beat) in [("file:{dir}/beat", "touch {dir}/beat"), ("output", "echo beat")] {
        let dir = TestDir::new().unwrap();
        let mailer = Mailer::new(&dir).unwrap();
        let folder = dir.folder().display().to_string();
        let script = dir
            .script(
                "beats",
                &format!("while :; do test -e {folder}/quiet || {beat}; sleep 0.2; done")
                    .replace("{dir}", &folder),
            )
            .unwrap();
        let keys = format!(
            "command={script}\nstartsecs=0\nstdout_logfile={{dir}}/web.log\nheartbeat={source} within 2s\n"
        );
        let _daemon = start(&dir, Implementation::Ours, &mailer, &keys.replace("{dir}", &folder));
        pause(Duration::from_secs(3));
        assert_eq!(mailer.mails().unwrap().len(), 0);
        dir.write("quiet", "").unwrap();
        let mail = mails(&dir, &mailer, 1).remove(0);
        assert!(mail.contains("web"), "{source}: {mail}");
        wait_known(&dir, "silent");
        fs::remove_file(dir.path("quiet")).unwrap();
        let mails = mails(&dir, &mailer, 2);
        assert!(mails[1].contains("web"), "{}", mails[1]);
        until("the incident to be over", TIMEOUT, || Ok(incidents(&dir).is_empty().then_some(()))).unwrap();
    }
}

#[test]
fn a_watch_that_is_killed_between_stop_and_start_leaves_no_program_stopped() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let server = WebServer::start(ServerBehaviour::Answer("500 Oh Dear", "")).unwrap();
    // It takes a while to stop: the kill comes in between.
    let slow = dir.script("slow", "trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done").unwrap();
    let keys = format!(
        "command={slow}\nstartsecs=0\nstopwaitsecs=20\nhealthcheck={}/ every 1s timeout 1s fail 1 grace 0 then restart at most 1/10m\n",
        server.url()
    );
    let daemon = start(&dir, Implementation::Ours, &mailer, &keys);
    daemon.wait_state("web", "STOPPING").unwrap();
    let watches = dir.processes_named(" watch");
    assert_eq!(watches.len(), 1);
    rustix::process::kill_process(watches[0], Signal::KILL).unwrap();
    until("web to be started again", TIMEOUT, || {
        Ok((daemon.log().matches("spawned: 'web'").count() == 2).then_some(()))
    })
    .unwrap();
    daemon.wait_state("web", "RUNNING").unwrap();
}
