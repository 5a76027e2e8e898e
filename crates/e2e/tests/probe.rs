//! `ironlance probe`: checks of pages, sockets, commands, memory and files, as `watch` orders them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{ServerBehaviour, TIMEOUT, TestDir, WebServer, until};

/// A probe with one program `web` that runs.
struct Probe {
    child: Child,
    orders: Option<ChildStdin>,
    readings: Receiver<String>,
}

impl Probe {
    /// Starts it with checks, each a target, and tells it that the program runs as this process.
    fn start(dir: &TestDir, checks: &[String]) -> Self {
        let mut command = dir.ours("ironlance").unwrap();
        let mut child = command.arg("probe").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, readings) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut this = Self { orders: child.stdin.take(), child, readings };
        this.order(&format!(r#"{{"checks":[{}]}}"#, checks.join(",")));
        this.running(std::process::id());
        this
    }

    fn order(&mut self, line: &str) {
        writeln!(self.orders.as_mut().unwrap(), "{line}").unwrap();
    }

    fn running(&mut self, pid: u32) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        self.order(&format!(
            r#"{{"running":{{"program":{{"group":"web","process":"web"}},"pid":{pid},"since":{now},"logs":[]}}}}"#
        ));
    }

    /// The next reading with this in it.
    fn wait(&self, needle: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.readings.recv_timeout(TIMEOUT) {
            if line.contains(needle) {
                return line;
            }
            seen.push(line);
        }
        panic!("no {needle:?} in {seen:#?}")
    }

    /// Closes its standard input, and waits for its end.
    fn end(mut self) {
        drop(self.orders.take());
        let status = until("the probe to end", TIMEOUT, || Ok(self.child.try_wait()?)).unwrap();
        assert!(status.success(), "{status}");
    }
}

/// A check every 200 ms that may take 100 ms.
fn check(family: &str, name: &str, target: &str) -> String {
    let time = |millis: u64| format!(r#"{{"secs":0,"nanos":{}}}"#, millis * 1_000_000);
    format!(
        r#"{{"program":{{"group":"web","process":"web"}},"family":"{family}","name":"{name}","target":{target},"every":{},"timeout":{},"grace":{},"settled":1}}"#,
        time(200),
        time(100),
        time(0)
    )
}

fn page(url: &str) -> String {
    let target = format!(
        r#"{{"page":{{"url":"{url}","statuses":[],"body":"well","insecure":false,"ca_file":null,"headers":[]}}}}"#
    );
    check("health", "", &target)
}

#[test]
fn a_page_that_fails_in_every_way_is_reported_and_its_recovery_too() {
    let dir = TestDir::new().unwrap();
    let server = WebServer::start(ServerBehaviour::Answer("200 OK", "all is well")).unwrap();
    let probe = Probe::start(&dir, &[page(&format!("{}/health?token=secret", server.url()))]);
    probe.wait(r#""result":"good""#);
    for (behaviour, finding) in [
        (ServerBehaviour::Answer("500 Oh Dear", ""), "status 500 Oh Dear"),
        (ServerBehaviour::Answer("200 OK", "ill"), r#"status 200 OK without \"well\" in the body"#),
        (ServerBehaviour::Hang, "no answer within 100ms"),
        (ServerBehaviour::Drip, "no answer within 100ms"),
        (ServerBehaviour::Close, "Remote end closed connection without response"),
        (ServerBehaviour::Raw(b"SSH-2.0-x\r\n"), "SSH-2.0-x"),
    ] {
        server.set_behaviour(behaviour);
        let line = probe.wait(finding);
        assert!(line.contains("/health?token=***") && !line.contains("secret"), "{line}");
    }
    server.set_behaviour(ServerBehaviour::Answer("302 Found", "well"));
    probe.wait(r#""result":"good""#);
    let asked = server.requests().remove(0);
    assert!(asked.starts_with("GET /health?token=secret ") && asked.contains("ironlance/"), "{asked}");
    probe.end();
}

#[test]
fn sockets_are_connected_to_and_pages_are_asked_over_them() {
    let dir = TestDir::new().unwrap();
    let socket = dir.path("web.sock");
    let port = closed_port().unwrap();
    let probe = Probe::start(
        &dir,
        &[
            check("health", "port", &format!(r#"{{"tcp":{{"host":"127.0.0.1","port":{port}}}}}"#)),
            check("health", "socket", &format!(r#"{{"unix_socket":"{}"}}"#, socket.display())),
            page(&format!("unix:{}:/x", socket.display())),
        ],
    );
    let line = probe.wait("port: Connection refused");
    assert!(line.contains(&format!("tcp://127.0.0.1:{port}")), "{line}");
    probe.wait("socket: No such file or directory");
    let _server = WebServer::start_unix(&socket, ServerBehaviour::Answer("200 OK", "well")).unwrap();
    let line = probe.wait(r#""result":"good""#);
    assert!(line.contains(r#""name":"socket""#) || line.contains(r#""name":"""#), "{line}");
    probe.end();
}

#[test]
fn a_command_is_ended_with_its_children_when_its_time_is_over_and_when_the_probe_ends() {
    let dir = TestDir::new().unwrap();
    let command = |name: &str, text: &str| {
        let target = format!(r#"{{"command":["/bin/sh","-c","{text}"]}}"#);
        check("health", name, &target)
    };
    let probe = Probe::start(
        &dir,
        &[
            command("well", "exit 0"),
            command("ill", "echo all hands; echo no luck >&2; sleep 1071 & exit 3"),
            command("slow", "sleep 1071; sleep 1071"),
            command("dead", "kill -SEGV $$"),
            check("health", "none", r#"{"command":["/nonexistent/check"]}"#),
        ],
    );
    probe.wait(r#""name":"well","at""#);
    let line = probe.wait("ill: exit status 3: no luck");
    assert!(line.contains(r#"{"checked":"/bin/sh …"}"#), "{line}");
    probe.wait("slow: it did not end within 100ms");
    probe.wait("dead: killed by SIGSEGV");
    let unable = probe.wait(r#"{"unable":"#);
    assert!(unable.contains("cannot run /nonexistent/check: No such file or directory"), "{unable}");
    probe.end();
    until("the commands to be gone", TIMEOUT, || {
        Ok(dir.processes_named("sleep 1071").is_empty().then_some(()))
    })
    .unwrap();
}

#[test]
fn memory_and_processor_time_are_measured_and_a_process_that_is_gone_is_not() {
    let dir = TestDir::new().unwrap();
    let limits = ["false", "true"].map(|tree| {
        check("memory", "", &format!(r#"{{"memory":{{"pss":{tree},"tree":{tree},"limit":4096}}}}"#))
    });
    let [plain, tree] = limits;
    let mut probe = Probe::start(&dir, &[plain]);
    probe.wait(r#"{"limit":{"measure":"rss","reading":"#);
    probe.order(&format!(r#"{{"checks":[{tree},{}]}}"#, check("cpu", "", r#"{"cpu":{"limit":100000}}"#)));
    probe.wait(r#"{"limit":{"measure":"pss","reading":"#);
    probe.wait(r#""family":"cpu","name":"","at""#);
    let nobody = 4_000_000;
    probe.running(nobody);
    while probe.readings.recv_timeout(Duration::from_millis(700)).is_ok() {}
    probe.end();
}

#[test]
fn a_file_that_is_not_touched_is_silence_and_a_touch_ends_it() {
    let dir = TestDir::new().unwrap();
    let beat = dir.path("beat");
    let probe = Probe::start(&dir, &[check("heartbeat", "", &format!(r#"{{"file":"{}"}}"#, beat.display()))]);
    probe.wait(r#"{"silent":{"seconds":0,"limit":0}}"#);
    // Silence is looked at each second, a sign of life lasts for 200 ms.
    let toucher = thread::spawn(move || {
        for _ in 0..60 {
            fs::write(&beat, "x").unwrap();
            thread::park_timeout(Duration::from_millis(50));
        }
    });
    probe.wait(r#""result":"good""#);
    toucher.join().unwrap();
    probe.wait(r#"{"silent":"#);
    probe.end();
}

#[test]
fn what_is_no_order_is_logged_and_the_rest_is_used() {
    let dir = TestDir::new().unwrap();
    let server = WebServer::start(ServerBehaviour::Answer("200 OK", "well")).unwrap();
    let mut probe = Probe::start(&dir, &[]);
    probe.order("nonsense");
    probe.order(r#"{"not_running":{"program":{"group":"web","process":"other"}}}"#);
    probe.order(&format!(r#"{{"checks":[{}]}}"#, page(&server.url())));
    probe.wait(r#""result":"good""#);
    probe.end();
}
