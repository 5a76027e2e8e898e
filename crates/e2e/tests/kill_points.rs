//! Kills at the two moments that matter: between a stop and its start, and between an alert and its RESULT.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{PipeReader, Read, Write, pipe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ironlance_e2e::wait::pause;
use ironlance_e2e::{
    FakeAnswer, FakeSupervisor, Listener, Mailer, ServerBehaviour, TIMEOUT, TestDir, WebServer, WireEvent,
    until,
};

/// Long enough for a second mail to show itself.
const A_WHILE: Duration = Duration::from_millis(300);

fn command(dir: &TestDir, name: &str, args: &[&str], url: &str) -> Command {
    let mut command = dir.ours(name).unwrap();
    command
        .args(args)
        .env("SUPERVISOR_SERVER_URL", url)
        .env("SUPERVISOR_PROCESS_NAME", name)
        .env("SUPERVISOR_GROUP_NAME", name);
    command
}

fn count(supervisor: &FakeSupervisor, method: &str) -> usize {
    supervisor.methods().iter().filter(|called| *called == method).count()
}

fn wait_call(supervisor: &FakeSupervisor, method: &str, times: usize) {
    until(
        &format!("{times} of {method}"),
        TIMEOUT,
        || Ok((count(supervisor, method) >= times).then_some(())),
    )
    .unwrap();
}

/// A listener that restarts `cat` at the first tick is killed while `held` of supervisord does not answer.
fn killed_during(held: &str, name: &str, args: &[&str]) -> (TestDir, FakeSupervisor) {
    let dir = TestDir::new().unwrap();
    let supervisor = FakeSupervisor::start(&dir).unwrap();
    supervisor.running("cat", std::process::id());
    supervisor.answer_next(held, FakeAnswer::Silence);
    let mut listener =
        Listener::start(command(&dir, name, args, supervisor.url()), dir.path("stderr")).unwrap();
    listener.ready().unwrap();
    listener.send(&WireEvent::tick(60)).unwrap();
    wait_call(&supervisor, held, 1);
    listener.kill().unwrap();
    (dir, supervisor)
}

#[test]
fn a_program_whose_restarter_was_killed_after_the_stop_is_started_by_the_next_one() {
    let page = WebServer::start(ServerBehaviour::Answer("500 No", "")).unwrap();
    let url = format!("{}/", page.url());
    for (name, args) in [("memmon", vec!["-p", "cat=1KB"]), ("httpok", vec!["-p", "cat", &url])] {
        page.set_behaviour(ServerBehaviour::Answer("500 No", ""));
        let (dir, supervisor) = killed_during("supervisor.startProcess", name, &args);
        page.set_behaviour(ServerBehaviour::Answer("200 OK", ""));
        // The successor has no reason of its own to restart anything.
        let harmless = if name == "memmon" { vec!["-p", "cat=1000GB"] } else { args };
        let started = command(&dir, name, &harmless, supervisor.url());
        let mut listener = Listener::start(started, dir.path("stderr")).unwrap();
        listener.handle(&WireEvent::tick(60)).unwrap();
        assert_eq!(count(&supervisor, "supervisor.startProcess"), 2, "{name}: {:?}", listener.stderr());
        listener.handle(&WireEvent::tick(60)).unwrap();
        assert_eq!(supervisor.actions().len(), 3, "{name}: once is enough: {:?}", supervisor.actions());
    }
}

#[test]
fn a_program_that_was_stopped_long_ago_is_not_started_by_a_listener_that_comes_back() {
    let (dir, supervisor) = killed_during("supervisor.startProcess", "memmon", &["-p", "cat=1KB"]);
    let mut ledgers = fs::read_dir(dir.path("state")).unwrap().flatten().map(|entry| entry.path());
    let is_ledger = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("restart-");
    let ledger = ledgers.find(is_ledger).unwrap();
    let text = fs::read_to_string(&ledger).unwrap();
    let (tried, name) = text.trim_end().split_once(' ').unwrap();
    let long_ago = tried.parse::<u64>().unwrap() - 7200;
    fs::write(&ledger, format!("{long_ago} {name}\n")).unwrap();
    let successor = command(&dir, "memmon", &["-p", "cat=1000GB"], supervisor.url());
    let mut listener = Listener::start(successor, dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::tick(60)).unwrap();
    let note = "note: not starting cat:cat: I stopped it more than an hour ago and was not there since\n";
    assert!(listener.stderr().unwrap().contains(note), "{:?}", listener.stderr());
    assert!(!ledger.exists());
    assert_eq!(count(&supervisor, "supervisor.startProcess"), 1);
}

#[test]
fn a_program_that_was_not_stopped_before_the_kill_is_left_alone() {
    let (dir, supervisor) = killed_during("supervisor.stopProcess", "memmon", &["-p", "cat=1KB"]);
    let successor = command(&dir, "memmon", &["-p", "cat=1000GB"], supervisor.url());
    let mut listener = Listener::start(successor, dir.path("stderr")).unwrap();
    listener.handle(&WireEvent::tick(60)).unwrap();
    assert_eq!(supervisor.actions(), ["supervisor.stopProcess(cat:cat)"]);
}

/// A listener whose RESULT does not fit into its full stdout.
struct Stuck {
    child: Child,
    /// Full; nobody reads it while the listener lives.
    stdout: PipeReader,
}

impl Stuck {
    fn start(mut command: Command) -> Self {
        const READY: usize = "READY\n".len();
        const LEAST: usize = 4096;
        let (stdout, mut end) = pipe().unwrap();
        let size = rustix::pipe::fcntl_setpipe_size(&end, LEAST).unwrap();
        // READY fits behind it, RESULT does not: a write of so few bytes is done as a whole or not at all.
        end.write_all(&vec![b'.'; size - READY]).unwrap();
        let child = command.stdin(Stdio::piped()).stdout(end).stderr(Stdio::null()).spawn().unwrap();
        Self { child, stdout }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Kills it and tells what it had said since READY.
    fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        drop(self.child);
        let mut printed = Vec::new();
        self.stdout.read_to_end(&mut printed).unwrap();
        String::from_utf8_lossy(&printed).trim_start_matches('.').to_owned()
    }
}

#[test]
fn an_event_that_comes_again_because_the_listener_was_killed_before_its_result_makes_one_mail() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let crashmail =
        || command(&dir, "crashmail", &["-m", "ops@example.com", "-s", mailer.command()], "unix:///nowhere");
    let event = WireEvent::crashed("cat", 7).encode(4);
    let mut stuck = Stuck::start(crashmail());
    stuck.send(&event);
    // The alert is not only safe by now, it has been delivered.
    mailer.wait(1).unwrap();
    assert_eq!(stuck.kill(), "READY\n");
    let mut listener = Listener::start(crashmail(), dir.path("stderr")).unwrap();
    listener.ready().unwrap();
    listener.send_bytes(&event).unwrap();
    listener.ok_within(TIMEOUT).unwrap();
    listener.ready().unwrap();
    pause(A_WHILE);
    assert_eq!(mailer.mails().unwrap().len(), 1);
}

#[test]
fn the_same_bytes_after_a_result_are_another_event_and_make_another_mail() {
    let dir = TestDir::new().unwrap();
    let mailer = Mailer::new(&dir).unwrap();
    let start = || {
        let args = ["-m", "ops@example.com", "-s", mailer.command()];
        let crashmail = command(&dir, "crashmail", &args, "unix:///nowhere");
        let mut listener = Listener::start(crashmail, dir.path("stderr")).unwrap();
        listener.ready().unwrap();
        listener
    };
    for _ in 1..=2 {
        let mut listener = start();
        listener.send_bytes(&WireEvent::crashed("cat", 7).encode(4)).unwrap();
        listener.ok_within(TIMEOUT).unwrap();
        // With the next READY it knows that its answer was taken.
        listener.ready().unwrap();
        listener.kill().unwrap();
    }
    // A kill may have come before the delivery began: whoever comes next sees to that.
    let _successor = start();
    mailer.wait(2).unwrap();
    pause(A_WHILE);
    assert_eq!(mailer.mails().unwrap().len(), 2);
}

#[test]
fn an_event_that_comes_again_to_another_process_of_a_batch_mailer_s_pool_is_told_once() {
    let dir = TestDir::new().unwrap();
    let server = ironlance_e2e::FakeMailServer::start(
        &dir,
        &ironlance_e2e::mail_server::FakeMailServerOptions::default(),
    )
    .unwrap();
    let host = format!("127.0.0.1:{}", server.port());
    let member = |name: &str| {
        let args = ["-t", "ops@example.com", "-f", "sup@example.com", "-H", &host, "--brief"];
        let mut member = command(&dir, "crashmailbatch", &args, "unix:///nowhere");
        member.env("SUPERVISOR_PROCESS_NAME", name);
        member
    };
    let event = WireEvent::crashed("cat", 7).encode(4);
    let mut stuck = Stuck::start(member("mailer_0"));
    stuck.send(&event);
    let batches = dir.path("state/outbox/batch");
    until("the entry in the batch", TIMEOUT, || {
        let files = std::fs::read_dir(&batches).into_iter().flatten().flatten();
        let texts: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        Ok(texts.iter().any(|text| text.contains("pid 7")).then_some(()))
    })
    .unwrap();
    assert_eq!(stuck.kill(), "READY\n");
    let mut second = Listener::start(member("mailer_1"), dir.path("stderr")).unwrap();
    second.ready().unwrap();
    second.send_bytes(&event).unwrap();
    second.ok_within(TIMEOUT).unwrap();
    let mut first = Listener::start(member("mailer_0"), dir.path("stderr")).unwrap();
    for listener in [&mut second, &mut first] {
        listener.handle(&WireEvent::tick(60)).unwrap();
        listener.ready().unwrap();
    }
    server.wait(1).unwrap();
    pause(A_WHILE);
    let note: usize = server.mails().unwrap().iter().map(|mail| mail.content.matches("pid 7").count()).sum();
    assert_eq!(note, 1);
}
