//! `GET /events`: what happens, as it happens, for as many as want to see it; and what a bad reader costs the others.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, bail};
use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Daemon, Implementation, TIMEOUT, TestDir, raw_http, until};
use rustix::process::Signal;
use serde_json::Value;

/// Long enough for an answer, short where the server keeps the connection open.
const SILENCE: Duration = Duration::from_millis(300);

/// Someone who watches.
struct Watcher {
    stream: UnixStream,
    /// What has been read and not used.
    text: String,
}

impl Watcher {
    /// Watches from now on. `query` is with its question mark; by HTTP/1.0 there are no chunks.
    fn begin(daemon: &Daemon, query: &str) -> anyhow::Result<Self> {
        let mut this = Self { stream: daemon.connect()?, text: String::new() };
        write!(this.stream, "GET /events{query} HTTP/1.0\r\n\r\n")?;
        let head = this.take_until("\r\n\r\n")?;
        anyhow::ensure!(head.starts_with("HTTP/1.0 200"), "{head}");
        anyhow::ensure!(head.contains("\r\nContent-Type: text/event-stream\r\n"), "{head}");
        this.take_until(":\n\n")?;
        Ok(this)
    }

    /// Reads more; nothing at the end of the stream.
    fn more(&mut self) -> anyhow::Result<usize> {
        let mut chunk = vec![0; 64 * 1024];
        let count = self.stream.read(&mut chunk).with_context(|| format!("after {:?}", self.text))?;
        self.text.push_str(&String::from_utf8_lossy(&chunk[..count]));
        Ok(count)
    }

    /// Takes all up to and with the needle.
    fn take_until(&mut self, needle: &str) -> anyhow::Result<String> {
        loop {
            if let Some(at) = self.text.find(needle) {
                return Ok(self.text.drain(..at + needle.len()).collect());
            }
            if self.more()? == 0 {
                bail!("ended before {needle:?}: {:?}", self.text);
            }
        }
    }

    /// The next message: its event and its data.
    fn message(&mut self) -> anyhow::Result<(String, Value)> {
        let text = self.take_until("\n\n")?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let data = serde_json::from_str(field("data: ")).with_context(|| text.clone())?;
        Ok((field("event: ").to_owned(), data))
    }

    /// Waits for an event of this type about this process, and gives its data.
    fn wait(&mut self, event: &str, process: &str) -> anyhow::Result<Value> {
        loop {
            let (found, data) = self.message()?;
            if found == event && data["process"] == process {
                return Ok(data);
            }
        }
    }

    /// All that still comes, until the daemon closes the connection.
    fn rest(mut self) -> anyhow::Result<String> {
        while self.more()? > 0 {}
        Ok(self.text)
    }
}

fn ours(sections: &str) -> (TestDir, Daemon) {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, sections).unwrap();
    (dir, daemon)
}

#[test]
fn a_life_and_a_death_are_told_with_the_reason() {
    let (_scene, daemon) = ours("[program:cat]\ncommand=cat\nautostart=false\n");
    let mut watcher = Watcher::begin(&daemon, "").unwrap();
    daemon.call("startProcess", &["cat".into()]).unwrap().unwrap();
    let starting = watcher.wait("PROCESS_STATE_STARTING", "cat").unwrap();
    assert_eq!(starting["body"], "processname:cat groupname:cat from_state:STOPPED tries:0");
    assert!(starting.get("why").is_none());
    watcher.wait("PROCESS_STATE_RUNNING", "cat").unwrap();
    let pid = daemon.wait_state("cat", "RUNNING").unwrap();
    daemon.hit("cat", Signal::KILL).unwrap();
    let exited = watcher.wait("PROCESS_STATE_EXITED", "cat").unwrap();
    assert_eq!(exited["why"], "terminated by SIGKILL");
    assert_eq!(exited["group"], "cat");
    assert_eq!(exited["event"], "PROCESS_STATE_EXITED");
    let body = format!("processname:cat groupname:cat from_state:RUNNING expected:0 pid:{pid}");
    assert_eq!(exited["body"], body.as_str());
    let (first, last) = (starting["number"].as_u64().unwrap(), exited["number"].as_u64().unwrap());
    assert_eq!(last, first + 2);
    assert!(exited["at"].as_f64().unwrap() > starting["at"].as_f64().unwrap());
    daemon.wait_state("cat", "RUNNING").unwrap();
    daemon.call("stopProcess", &["cat".into()]).unwrap().unwrap();
    let stopped = watcher.wait("PROCESS_STATE_STOPPED", "cat").unwrap();
    let why = stopped["why"].as_str().unwrap();
    assert!(why.starts_with("terminated by SIGTERM, as told by ") && why.contains(" (pid "), "{why}");
}

#[test]
fn what_cannot_start_says_why_each_time_and_at_the_end() {
    let (_scene, daemon) = ours(
        "[program:wrong]\ncommand=sh -c 'exit 3'\nautostart=false\nstartretries=1\n\
         [program:absent]\ncommand=/nonexistent/x\nautostart=false\nstartretries=0\n\
         [program:nowhere]\ncommand=cat\ndirectory=/nonexistent\nautostart=false\nstartretries=0\n",
    );
    let mut watcher = Watcher::begin(&daemon, "?types=PROCESS_STATE_BACKOFF,PROCESS_STATE_FATAL").unwrap();
    let start = |name: &str| daemon.call("startProcess", &[name.into(), false.into()]).unwrap();
    start("wrong").unwrap();
    for event in ["PROCESS_STATE_BACKOFF", "PROCESS_STATE_BACKOFF", "PROCESS_STATE_FATAL"] {
        let (found, data) = watcher.message().unwrap();
        assert_eq!((found.as_str(), &data["why"]), (event, &Value::from("exit status 3")));
    }
    start("nowhere").unwrap();
    for event in ["PROCESS_STATE_BACKOFF", "PROCESS_STATE_FATAL"] {
        let why = watcher.wait(event, "nowhere").unwrap()["why"].to_string();
        assert!(why.contains("/nonexistent"), "{why}");
    }
    // A client is refused before there is an attempt.
    start("absent").unwrap_err();
    let (_scene, daemon) = ours("[program:absent]\ncommand=/nonexistent/x\nstartretries=1\n");
    let mut watcher = Watcher::begin(&daemon, "").unwrap();
    let fatal = watcher.wait("PROCESS_STATE_FATAL", "absent").unwrap();
    assert_eq!(fatal["why"], "can't find command '/nonexistent/x'");
}

#[test]
fn output_is_told_to_those_who_ask_for_it() {
    let (_scene, daemon) = ours(
        "[program:loud]\ncommand=cat\nstartsecs=0\nstdout_events_enabled=true\n\
         [program:quiet]\ncommand=cat\nstartsecs=0\n",
    );
    let mut all = Watcher::begin(&daemon, "?types=EVENT").unwrap();
    let mut output = Watcher::begin(&daemon, "?types=%50ROCESS_LOG").unwrap();
    let mut usual = Watcher::begin(&daemon, "").unwrap();
    for name in ["quiet", "loud"] {
        daemon.wait_state(name, "RUNNING").unwrap();
        daemon.write_stdin(name, "<é>\n").unwrap();
    }
    let (event, data) = output.message().unwrap();
    assert_eq!((event.as_str(), &data["process"]), ("PROCESS_LOG_STDOUT", &Value::from("loud")));
    assert!(data["body"].as_str().unwrap().ends_with(" channel:stdout\n<é>\n"), "{data}");
    assert_eq!(all.wait("PROCESS_LOG_STDOUT", "loud").unwrap(), data);
    daemon.send_remote_event("test", "last").unwrap();
    while usual.message().unwrap().0 != "REMOTE_COMMUNICATION" {}
    let before = usual.text;
    assert_eq!(before, "");
}

#[test]
fn what_cannot_be_asked_is_refused_in_a_line() {
    let (_scene, daemon) = ours("");
    let ask = |request: &str| daemon.http(request.as_bytes(), SILENCE).unwrap();
    let unknown = ask("GET /events?types=PROCESS_STATE,CPU HTTP/1.0\r\n\r\n");
    assert!(unknown.status().contains("400"), "{}", unknown.text());
    assert_eq!(unknown.body(), "400 Bad Request: cannot watch \"CPU\": there is no such event type\n");
    let post = ask("POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert!(post.status().contains("400"), "{}", post.text());
    let head = ask("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.status().contains("200") && !head.closed, "{}", head.text());
    assert_eq!(head.header("content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(head.body(), "");
    let elsewhere = ask("GET /events HTTP/1.0\r\nOrigin: http://evil.example\r\n\r\n");
    assert!(elsewhere.status().contains("403"), "{}", elsewhere.text());
}

#[test]
fn a_password_stands_before_it() {
    let port = closed_port().unwrap();
    let (_scene, _daemon) =
        ours(&format!("[inet_http_server]\nport=127.0.0.1:{port}\nusername=a\npassword=b\n"));
    let ask = |header: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: x\r\n{header}\r\n").unwrap();
        raw_http::head(stream).unwrap().status()
    };
    assert!(ask("").contains("401"));
    assert!(ask("Authorization: Basic YTpj\r\n").contains("401"));
    assert!(ask("Authorization: Basic YTpi\r\n").contains("200"));
}

#[test]
fn who_does_not_read_is_told_and_cut_and_holds_nobody_up() {
    let (_scene, daemon) = ours("");
    let slow = Watcher::begin(&daemon, "").unwrap();
    let mut other = Watcher::begin(&daemon, "").unwrap();
    let data = "x".repeat(200 * 1024);
    for _ in 0..20 {
        daemon.send_remote_event("test", &data).unwrap();
        let (event, message) = other.message().unwrap();
        assert_eq!(event, "REMOTE_COMMUNICATION");
        assert_eq!(message["body"].as_str().unwrap().len(), data.len() + "type:test\n".len());
    }
    let rest = slow.rest().unwrap();
    assert!(rest.ends_with("\n\nevent: lost\ndata: {}\n\n"), "{:?}", &rest[rest.len() - 100..]);
    assert!(rest.matches("REMOTE_COMMUNICATION").count() < 2 * 20);
    // A burst of small ones is no such thing.
    let mut patient = Watcher::begin(&daemon, "").unwrap();
    for number in 0..500 {
        daemon.send_remote_event("test", &number.to_string()).unwrap();
    }
    for number in 0..500 {
        let (_, message) = patient.message().unwrap();
        assert_eq!(message["body"], format!("type:test\n{number}"));
    }
}

#[test]
fn fifty_can_watch_and_go() {
    let (_scene, daemon) = ours("");
    let open = || {
        let info = daemon.ask("ironlance.getDaemonInfo", &[]).unwrap().unwrap();
        info.get("descriptors").unwrap().as_int().unwrap()
    };
    let before = open();
    let mut watchers: Vec<Watcher> = (0..50).map(|_| Watcher::begin(&daemon, "").unwrap()).collect();
    daemon.send_remote_event("test", "to all").unwrap();
    for watcher in &mut watchers {
        assert_eq!(watcher.message().unwrap().1["body"], "type:test\nto all");
    }
    assert!(open() >= before + 50);
    drop(watchers);
    // Nothing happens, and they are noticed to have gone all the same.
    until("their connections to be closed", TIMEOUT, || Ok((open() <= before).then_some(()))).unwrap();
}

#[test]
fn the_daemon_ends_at_once_and_its_watchers_see_the_end() {
    let sections = "[program:cat]\ncommand=cat\nstartsecs=0\n";
    for how in ["SIGTERM", "restart"] {
        let (_scene, mut daemon) = ours(sections);
        daemon.wait_state("cat", "RUNNING").unwrap();
        let mut chunked = daemon.connect().unwrap();
        write!(chunked, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        raw_http::head(&mut chunked).unwrap();
        let watchers: Vec<Watcher> = (0..5).map(|_| Watcher::begin(&daemon, "").unwrap()).collect();
        if how == "restart" {
            daemon.call("restart", &[]).unwrap().unwrap();
        } else {
            daemon.stop().unwrap();
        }
        for watcher in watchers {
            let rest = watcher.rest().unwrap();
            let stopping = rest.find("event: SUPERVISOR_STATE_CHANGE_STOPPING").unwrap();
            let stopped = rest.find("event: PROCESS_STATE_STOPPED").unwrap();
            assert!(stopping < stopped && rest.ends_with("\n\n"), "{rest}");
            assert!(!rest.contains("lost"), "{rest}");
        }
        // Ended as HTTP wants it: nothing was cut off.
        let answer = raw_http::exchange(chunked).unwrap();
        assert!(answer.closed && answer.bytes.ends_with(b"\r\n0\r\n\r\n"), "{}", answer.text());
        if how == "restart" {
            let lives = || daemon.log().matches("entered RUNNING state").count();
            until("the second life", TIMEOUT, || Ok((lives() == 2).then_some(()))).unwrap();
        }
    }
}

#[test]
fn watching_changes_nothing_for_listeners() {
    let listener = "[eventlistener:ear]\ncommand=bash {dir}/ear.sh\nevents=PROCESS_STATE_EXITED\n\
                    [program:cat]\ncommand=cat\nstartsecs=0\nautostart=false\nautorestart=false\n";
    let script = "printf 'READY\\n'\nwhile read -r header; do\n\
                  echo \"$header\" >> \"$(dirname \"$0\")/headers\"\n\
                  [[ $header =~ len:([0-9]+) ]]; read -r -N \"${BASH_REMATCH[1]}\" body\n\
                  printf 'RESULT 2\\nOKREADY\\n'\ndone\n";
    let dir = TestDir::new().unwrap();
    dir.write("ear.sh", script).unwrap();
    let daemon = Daemon::start(&dir, Implementation::Ours, listener).unwrap();
    let mut watcher = Watcher::begin(&daemon, "?types=EVENT").unwrap();
    daemon.wait_state("ear", "RUNNING").unwrap();
    for _ in 0..3 {
        daemon.call("startProcess", &["cat".into()]).unwrap().unwrap();
        daemon.send_remote_event("test", "between").unwrap();
        daemon.hit("cat", Signal::KILL).unwrap();
        watcher.wait("PROCESS_STATE_EXITED", "cat").unwrap();
    }
    let headers = daemon.wait_file("headers", "poolserial:2").unwrap();
    let serials: Vec<&str> = headers.split(' ').filter(|word| word.starts_with("serial:")).collect();
    assert_eq!(serials, ["serial:0", "serial:1", "serial:2"]);
}
