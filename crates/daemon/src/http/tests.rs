//! The server as clients see it: bytes over real sockets, with a stand-in for the owner.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{Credentials, HttpServer, Password, ServerAddress};
use ironlance_core::log_level::Level;
use ironlance_rpc::{FaultKind, Value, read, write};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

mod long_logs;
mod odd_clients;
mod strangers;

use super::*;
use crate::inbox::Input;
use crate::request::{LogId, LogLocation, RpcRequest};
use crate::view::DaemonView;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Lines(RefCell<Vec<String>>);

impl DaemonLog for Lines {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, text: &str) {
        self.0.borrow_mut().push(format!("{} {text}", level.tag()));
    }
}

/// A server on a unix socket, and its owner's stand-in.
struct Scene {
    folder: TempDir,
    serving: ServerHandle,
    lines: Rc<Lines>,
}

impl Scene {
    fn open(credentials: Option<Credentials>, limits: HttpLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = ServerAddress::Unix { path: folder.path().join("sock"), mode: 0o700, owner: None };
        let server = HttpServer {
            section: "unix_http_server".into(),
            address,
            credentials,
            allow_anonymous_changes: false,
            allowed_hosts: Vec::new(),
        };
        let lines = Rc::new(Lines::default());
        let daemon_log: Rc<dyn DaemonLog> = lines.clone();
        let interfaces = ["supervisor".to_owned()];
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let (owner, inbox) = mpsc::channel(16);
        let serving = serve(listening, &interfaces, &owner, &daemon_log, limits).unwrap();
        spawn_local(own(inbox, folder.path().join("log")));
        Self { folder, serving, lines }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    async fn connect(&self) -> Client {
        connect(&self.folder.path().join("sock")).await
    }

    async fn ask(&self, request: &str) -> Got {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }
}

/// Answers as an owner would; `supervisor.startProcess` takes a moment, `supervisor.shutdown` for ever.
async fn own(mut inbox: mpsc::Receiver<Input>, log: PathBuf) {
    let mut forgotten = Vec::new();
    while let Some(input) = inbox.recv().await {
        if let Input::LocateLog { what, reply } = input {
            let known = match &what {
                LogId::Main => true,
                LogId::Process { name, .. } => name == "a:b",
            };
            let path = if known { Ok(Some(log.clone())) } else { Err(FaultKind::BadName.about("x")) };
            let _ = reply.send(LogLocation { stopping: false, path });
            continue;
        }
        if let Input::View(reply) = input {
            let _ = reply.send(nothing_to_see());
            continue;
        }
        let Input::Call(call) = input else { continue };
        let answer = match call.request {
            RpcRequest::GetIdentification => Ok("the daemon é".into()),
            RpcRequest::GetProcessInfo { name } => Err(FaultKind::BadName.about(name)),
            RpcRequest::StartProcess { .. } => {
                spawn_local(async move {
                    sleep(Duration::from_millis(20)).await;
                    let _ = call.reply.send(Ok(true.into()));
                });
                continue;
            }
            RpcRequest::Shutdown => {
                forgotten.push(call.reply);
                continue;
            }
            _ => Err(FaultKind::Failed.bare()),
        };
        let _ = call.reply.send(answer);
    }
}

fn nothing_to_see() -> DaemonView {
    DaemonView {
        identifier: "supervisor".into(),
        mood: "RUNNING",
        pid: 1,
        since: Duration::ZERO,
        now: Duration::ZERO,
        programs: Vec::new(),
        listeners: Vec::new(),
        recent: Vec::new(),
    }
}

struct Client {
    stream: UnixStream,
    read: Vec<u8>,
}

async fn connect(path: &Path) -> Client {
    Client { stream: UnixStream::connect(path).await.unwrap(), read: Vec::new() }
}

/// An answer, or as much of it as came before the end.
#[derive(Debug)]
struct Got {
    head: String,
    body: String,
}

impl Got {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or("none")
    }

    fn has(&self, line: &str) -> bool {
        self.head.lines().any(|found| found == line)
    }

    fn result(&self) -> Result<Value, ironlance_rpc::Fault> {
        read::response(&self.body).unwrap()
    }
}

impl Client {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// More bytes; false at the end of the connection.
    async fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read =
            timeout(PATIENCE, self.stream.read(&mut bytes)).await.expect("nothing came for a long time");
        let read = read.unwrap_or(0);
        self.read.extend(&bytes[..read]);
        read > 0
    }

    async fn until(&mut self, text: &str) -> String {
        loop {
            let all = String::from_utf8_lossy(&self.read).into_owned();
            if let Some(at) = all.find(text) {
                return all[..at + text.len()].to_owned();
            }
            assert!(self.more().await, "the connection ended, and there is no {text:?} in {all:?}");
        }
    }

    async fn answer(&mut self) -> Got {
        let head = self.until("\r\n\r\n").await;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
        let length: usize = length.parse().unwrap();
        while self.read.len() < head.len() + length {
            assert!(self.more().await, "the body is cut off");
        }
        let body = String::from_utf8(self.read[head.len()..head.len() + length].to_vec()).unwrap();
        self.read.drain(..head.len() + length);
        Got { head, body }
    }

    /// Whether the server hangs up and sends nothing more.
    async fn is_hung_up(&mut self) -> bool {
        !self.more().await
    }
}

fn post(body: &str, headers: &str) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn call(method: &str, params: &[Value]) -> String {
    post(&write::request(method, params), "")
}

fn run<F: Future<Output = ()>>(scenario: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, scenario);
}

fn open_to_all() -> Scene {
    Scene::open(None, HttpLimits::default())
}

#[test]
fn a_call_is_answered_with_the_length_in_bytes() {
    run(async {
        let got = open_to_all().ask(&call("supervisor.getIdentification", &[])).await;
        assert_eq!(got.status(), "200");
        assert!(got.has("Content-Type: text/xml"), "{}", got.head);
        assert_eq!(got.result(), Ok("the daemon é".into()));
    });
}

#[test]
fn faults_are_answers() {
    run(async {
        let scene = open_to_all();
        let fault = |got: Got| got.result().unwrap_err().string;
        let got = scene.ask(&call("supervisor.getProcessInfo", &["x".into()])).await;
        assert_eq!(got.status(), "200");
        assert_eq!(fault(got), "BAD_NAME: x");
        assert_eq!(fault(scene.ask(&call("nope", &[])).await), "UNKNOWN_METHOD");
        assert_eq!(fault(scene.ask(&call("supervisor.getState", &[1.into()])).await), "INCORRECT_PARAMETERS");
    });
}

#[test]
fn requests_of_one_connection_are_answered_in_order_also_when_sent_at_once() {
    run(async {
        let scene = open_to_all();
        let mut client = scene.connect().await;
        let slow = call("supervisor.startProcess", &["x".into()]);
        let quick = call("supervisor.getIdentification", &[]);
        client.send(&format!("{slow}{quick}")).await;
        assert_eq!(client.answer().await.result(), Ok(Value::Bool(true)));
        assert_eq!(client.answer().await.result(), Ok("the daemon é".into()));
        client.send(&quick).await;
        assert_eq!(client.answer().await.status(), "200");
    });
}

#[test]
fn a_slow_answer_holds_nobody_else_up() {
    run(async {
        let scene = open_to_all();
        let mut waiting = scene.connect().await;
        waiting.send(&call("supervisor.shutdown", &[])).await;
        assert_eq!(scene.ask(&call("supervisor.getIdentification", &[])).await.status(), "200");
    });
}

#[test]
fn old_clients_and_odd_ways_of_sending_are_served() {
    run(async {
        let scene = open_to_all();
        let xml = write::request("supervisor.getIdentification", &[]);
        let old = post(&xml, "").replace("HTTP/1.1", "HTTP/1.0");
        let mut client = scene.connect().await;
        client.send(&old).await;
        assert_eq!(client.answer().await.status(), "200");
        assert!(client.is_hung_up().await);

        let chunked = format!(
            "POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &xml[..5],
            xml.len() - 5,
            &xml[5..]
        );
        assert_eq!(scene.ask(&chunked).await.result(), Ok("the daemon é".into()));

        let cautious = post(&xml, "Expect: 100-continue\r\n");
        let (head, body) = cautious.split_at(cautious.len() - xml.len());
        let mut client = scene.connect().await;
        client.send(head).await;
        client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.read.clear();
        client.send(body).await;
        assert_eq!(client.answer().await.status(), "200");

        assert_eq!(scene.ask(&format!("\r\n\r\n{}", post(&xml, ""))).await.status(), "200");
    });
}

#[test]
fn what_is_no_call_gets_the_status_that_the_original_gives_it() {
    run(async {
        let scene = open_to_all();
        let cases = [
            ("GET /RPC2 HTTP/1.1\r\n\r\n", "400"),
            ("POST /RPC2 HTTP/1.1\r\n\r\n", "411"),
            ("POST /RPC2 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "400"),
            ("GET /nope HTTP/1.1\r\n\r\n", "404"),
            ("PUT / HTTP/1.1\r\n\r\n", "400"),
            ("POST /logtail/a:b HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400"),
            ("GET /logtail/nope HTTP/1.1\r\n\r\n", "404"),
            ("GET /logtail/a:b HTTP/1.1\r\n\r\n", "404"),
            ("GET /logtail/a:b/nope HTTP/1.1\r\n\r\n", "404"),
            ("GET / HTTP/1.1\r\n\r\n", "200"),
            ("GET /index.html?lang=zh HTTP/1.1\r\n\r\n", "200"),
            ("GET /action HTTP/1.1\r\n\r\n", "404"),
            ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "400"),
            ("POST /action HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "415"),
            ("POST /action HTTP/1.1\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n\r\n", "403"),
            ("garbage\r\n\r\n", "400"),
        ];
        for (request, status) in cases {
            assert_eq!(scene.ask(request).await.status(), status, "{request}");
        }
        let logged = scene.lines.0.borrow();
        let complaint = "ERRO XML-RPC request data 'abc' is invalid: unmarshallable";
        assert!(logged.iter().any(|line| line == complaint), "{logged:?}");
        assert!(logged.iter().any(|line| line.starts_with("DEBG cannot read XML-RPC: ")), "{logged:?}");
    });
}

#[test]
fn a_request_that_was_not_read_to_its_end_is_the_last_of_its_connection() {
    run(async {
        let scene = open_to_all();
        let mut client = scene.connect().await;
        client.send("POST /nope HTTP/1.1\r\nContent-Length: 100\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
        let got = client.answer().await;
        assert_eq!(got.status(), "400");
        assert!(got.has("Connection: close"), "{}", got.head);
        assert!(client.is_hung_up().await);
    });
}

#[test]
fn a_password_stands_before_everything() {
    run(async {
        let credentials = Credentials { username: "user".into(), password: Password::Plain("pass".into()) };
        let scene = Scene::open(Some(credentials), HttpLimits::default());
        for request in [
            call("system.listMethods", &[]),
            "GET / HTTP/1.1\r\n\r\n".into(),
            "GET /mainlogtail HTTP/1.1\r\n\r\n".into(),
        ] {
            let got = scene.ask(&request).await;
            assert_eq!(got.status(), "401");
            assert!(
                got.has("Www-Authenticate: Basic realm=\"default\"")
                    || got.has("WWW-Authenticate: Basic realm=\"default\""),
                "{}",
                got.head
            );
        }
        // user:pass
        let admitted =
            post(&write::request("system.listMethods", &[]), "Authorization: Basic dXNlcjpwYXNz\r\n");
        assert_eq!(scene.ask(&admitted).await.status(), "200");
    });
}

#[test]
fn a_page_of_another_site_cannot_call() {
    run(async {
        let scene = open_to_all();
        let xml = write::request("supervisor.getIdentification", &[]);
        assert_eq!(scene.ask(&post(&xml, "Origin: http://evil.example\r\n")).await.status(), "403");
        for stream in ["/logtail/a:b", "/mainlogtail", "/events", "/live"] {
            let from =
                |more: &str| format!("GET {stream} HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\n{more}\r\n");
            let picture = scene.ask(&from("Sec-Fetch-Mode: no-cors\r\n")).await;
            assert_eq!(picture.status(), "403", "{stream} as a picture");
        }
        let link = "GET /logtail/a:nobody HTTP/1.1\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n\r\n";
        assert_eq!(scene.ask(link).await.status(), "404", "a link elsewhere may lead here");
    });
}

#[test]
fn several_calls_in_one_are_answered_one_after_the_other() {
    run(async {
        let one = |method: &str, params: Vec<Value>| {
            Value::record([("methodName", method.into()), ("params", params.into())])
        };
        let calls = vec![
            one("supervisor.startProcess", vec!["x".into()]),
            one("supervisor.getIdentification", vec![]),
            one("nope", vec![]),
            one("system.multicall", vec![]),
            Value::record([]),
            Value::Int(5),
            Value::record([("methodName", "supervisor.getIdentification".into())]),
        ];
        let got = open_to_all().ask(&call("system.multicall", &[calls.into()])).await;
        let fault = |string: &str, code: i64| {
            Value::record([("faultCode", code.into()), ("faultString", string.into())])
        };
        let expected = vec![
            true.into(),
            "the daemon é".into(),
            fault("UNKNOWN_METHOD", 1),
            fault("INCORRECT_PARAMETERS: Recursive system.multicall forbidden", 2),
            fault("INCORRECT_PARAMETERS: No methodName", 2),
            fault("INCORRECT_PARAMETERS", 2),
            "the daemon é".into(),
        ];
        assert_eq!(got.result(), Ok(Value::Array(expected)));
    });
}

#[test]
fn too_much_is_refused() {
    run(async {
        let limits = HttpLimits { body_bytes: 1000, head_bytes: 8192, headers: 8, ..HttpLimits::default() };
        let scene = Scene::open(None, limits);
        assert_eq!(scene.ask("POST /RPC2 HTTP/1.1\r\nContent-Length: 1001\r\n\r\n").await.status(), "413");
        let chunks = format!("100\r\n{}\r\n", "x".repeat(256)).repeat(5);
        let endless = format!("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(scene.ask(&endless).await.status(), "413");
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9000));
        assert_eq!(scene.ask(&long).await.status(), "431");
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(9));
        assert_eq!(scene.ask(&many).await.status(), "431");
    });
}

#[test]
fn a_client_that_dawdles_is_hung_up_on_and_one_that_rests_is_not() {
    run(async {
        let brief = Duration::from_millis(40);
        let limits =
            HttpLimits { first_byte: brief, head_time: brief, body_time: brief, ..HttpLimits::default() };
        let scene = Scene::open(None, limits);
        let mut silent = scene.connect().await;
        assert!(silent.is_hung_up().await);
        let mut half_head = scene.connect().await;
        half_head.send("GET / HTTP/1.1\r\nHo").await;
        assert!(half_head.is_hung_up().await);
        let mut half_body = scene.connect().await;
        half_body.send("POST /RPC2 HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").await;
        assert_eq!(half_body.answer().await.status(), "408");
        let mut resting = scene.connect().await;
        resting.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(resting.answer().await.status(), "200");
        sleep(brief * 3).await;
        resting.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(resting.answer().await.status(), "200");
    });
}

#[test]
fn who_takes_nothing_of_the_answer_is_dropped() {
    run(async {
        let limits = HttpLimits { write_stall: Duration::from_millis(50), ..HttpLimits::default() };
        let scene = Scene::open(None, limits);
        let mut client = scene.connect().await;
        // Answers pile up until the socket's buffer is full; in the end the server closes, and so sending fails.
        let request = call("system.listMethods", &[]).repeat(50);
        let dropped =
            timeout(PATIENCE, async { while client.stream.write_all(request.as_bytes()).await.is_ok() {} });
        assert!(dropped.await.is_ok());
    });
}

#[test]
fn the_longest_idle_makes_room_and_a_full_house_says_so() {
    run(async {
        let scene = Scene::open(None, HttpLimits { connections: 2, ..HttpLimits::default() });
        let (mut first, mut second) = (scene.connect().await, scene.connect().await);
        for client in [&mut first, &mut second] {
            client.send("GET / HTTP/1.1\r\n\r\n").await;
            assert_eq!(client.answer().await.status(), "200");
        }
        let mut third = scene.connect().await;
        assert!(first.is_hung_up().await);
        for client in [&mut second, &mut third] {
            client.send(&call("supervisor.shutdown", &[])).await;
        }
        // Both are being answered once this has been asked in vain.
        timeout(PATIENCE, async { while scene.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "503" {} })
            .await
            .expect("no 503");
    });
}

#[test]
fn long_answers_that_nobody_takes_are_bounded_and_short_ones_are_always_given() {
    let one = || Value::record([("methodName", "system.listMethods".into())]);
    let long = call("system.multicall", &[Value::Array((0..60).map(|_| one()).collect())]);
    run(async {
        let scene =
            Scene::open(None, HttpLimits { pending_response_bytes: 100_000, ..HttpLimits::default() });
        let mut greedy = scene.connect().await;
        // Enough that the socket's buffer cannot hold the answers: some lie with us.
        let (requests, mut piled) = (long.repeat(20), false);
        let sent = timeout(Duration::from_millis(300), greedy.stream.write_all(requests.as_bytes())).await;
        let patience = tokio::time::Instant::now() + PATIENCE;
        while !piled && tokio::time::Instant::now() < patience {
            piled = scene.ask(&long).await.status() == "503";
        }
        assert!(piled, "{sent:?}");
        assert_eq!(scene.ask(&call("system.listMethods", &[])).await.status(), "200");
        drop(greedy);
        timeout(PATIENCE, async { while scene.ask(&long).await.status() != "200" {} })
            .await
            .expect("what the greedy client left is still counted");
    });
}

#[test]
fn many_calls_in_one_cannot_fill_the_memory() {
    run(async {
        let scene = Scene::open(None, HttpLimits { pending_response_bytes: 3000, ..HttpLimits::default() });
        let one = Value::record([("methodName", "system.listMethods".into())]);
        let got = scene.ask(&call("system.multicall", &[vec![one; 50].into()])).await;
        let Ok(Value::Array(results)) = got.result() else { panic!("{got:?}") };
        assert_eq!(results.len(), 50);
        let last = read::fault(&results[49]).unwrap();
        assert!(last.string.starts_with("FAILED: cannot answer this call"), "{last}");
    });
}

/// A daemon_log that breaks when a certain method is called.
struct Broken;

impl DaemonLog for Broken {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, text: &str) {
        assert!(!text.contains("called: supervisor.restart"), "broken");
    }
}

#[test]
fn a_fault_of_ours_costs_only_the_client_that_met_it() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        let address = ServerAddress::Unix { path: path.clone(), mode: 0o700, owner: None };
        let server = HttpServer {
            section: "unix_http_server".into(),
            address,
            credentials: None,
            allow_anonymous_changes: false,
            allowed_hosts: Vec::new(),
        };
        let daemon_log: Rc<dyn DaemonLog> = Rc::new(Broken);
        let (owner, inbox) = mpsc::channel(16);
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let limits = HttpLimits { connections: 2, ..HttpLimits::default() };
        let _serving = serve(listening, &["supervisor".to_owned()], &owner, &daemon_log, limits).unwrap();
        spawn_local(own(inbox, folder.path().join("log")));
        let mut other = connect(&path).await;
        for _ in 0..3 {
            let mut client = connect(&path).await;
            client.send(&call("supervisor.restart", &[])).await;
            assert!(client.is_hung_up().await);
            other.send(&call("supervisor.getIdentification", &[])).await;
            assert_eq!(other.answer().await.status(), "200");
        }
    });
}

#[test]
fn a_server_open_to_the_world_without_a_password_only_tells() {
    run(async {
        let address = ServerAddress::Tcp { host: String::new(), port: 0 };
        let server = HttpServer {
            section: "inet_http_server".into(),
            address,
            credentials: None,
            allow_anonymous_changes: false,
            allowed_hosts: Vec::new(),
        };
        let lines = Rc::new(Lines::default());
        let daemon_log: Rc<dyn DaemonLog> = lines.clone();
        let (owner, inbox) = mpsc::channel(16);
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let port = listening[0].port().unwrap();
        let _serving =
            serve(listening, &["supervisor".to_owned()], &owner, &daemon_log, HttpLimits::default()).unwrap();
        spawn_local(own(inbox, PathBuf::from("/nonexistent")));
        let ask = async |request: String| {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(request.replace("HTTP/1.1", "HTTP/1.0").as_bytes()).await.unwrap();
            let mut all = String::new();
            stream.read_to_string(&mut all).await.unwrap();
            read::response(all.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        assert_eq!(ask(call("supervisor.getIdentification", &[])).await, Ok("the daemon é".into()));
        let refusal = ask(call("supervisor.shutdown", &[])).await.unwrap_err();
        assert!(
            refusal.string.starts_with("FAILED: cannot change anything here: [inet_http_server]"),
            "{refusal}"
        );
        let hidden = vec![Value::record([("methodName", "supervisor.shutdown".into())])];
        let Ok(Value::Array(results)) = ask(call("system.multicall", &[hidden.into()])).await else {
            panic!("no array")
        };
        assert_eq!(read::fault(&results[0]).unwrap(), refusal);
        let logged = lines.0.borrow();
        assert!(
            logged
                .iter()
                .any(|line| line == "WARN supervisor.shutdown was refused: inet_http_server has no password")
        );
    });
}

#[test]
fn a_log_is_followed_and_its_client_may_go() {
    run(async {
        let scene = Scene::open(None, HttpLimits { connections: 1, ..HttpLimits::default() });
        let append = |text: &str| {
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(scene.log())
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        };
        append("first line\n");
        let mut client = scene.connect().await;
        // The empty line behind it is supervisorctl's.
        client.send("GET /logtail/a%3Ab/stdout HTTP/1.1\r\n\r\n\r\n").await;
        let head = client.until("\r\n\r\n").await;
        for line in [
            "HTTP/1.1 200 OK",
            "Content-Type: text/plain;charset=utf-8",
            "Transfer-Encoding: chunked",
            "X-Accel-Buffering: no",
        ] {
            assert!(head.to_lowercase().contains(&line.to_lowercase()), "{head}");
        }
        assert!(head.contains("Last-Modified: "), "{head}");
        client.until("B\r\nfirst line\n\r\n").await;
        append("second\n");
        client.until("7\r\nsecond\n\r\n").await;
        drop(client);
        // There is one slot, and it is free again although nothing more is written to the log.
        timeout(PATIENCE, async { while scene.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "200" {} })
            .await
            .expect("the slot is not given back");
    });
}

#[test]
fn a_follower_that_takes_nothing_is_dropped_in_the_end() {
    run(async {
        let limits =
            HttpLimits { connections: 1, stream_stall: Duration::from_millis(50), ..HttpLimits::default() };
        let scene = Scene::open(None, limits);
        std::fs::write(scene.log(), "text\n").unwrap();
        let mut client = scene.connect().await;
        client.send("GET /logtail/a:b HTTP/1.1\r\n\r\n").await;
        client.until("text\n").await;
        std::fs::write(scene.log(), "x".repeat(8 * 1024 * 1024)).unwrap();
        timeout(PATIENCE, async { while scene.ask("GET / HTTP/1.1\r\n\r\n").await.status() != "200" {} })
            .await
            .expect("the slot is not given back");
    });
}

#[test]
fn an_old_client_gets_the_log_unchunked() {
    run(async {
        let scene = open_to_all();
        std::fs::write(scene.log(), "text\n").unwrap();
        let mut client = scene.connect().await;
        client.send("GET /mainlogtail HTTP/1.0\r\n\r\n").await;
        let all = client.until("\r\n\r\ntext\n").await;
        assert!(!all.contains("chunked"), "{all}");
    });
}

#[test]
fn who_asks_for_the_head_of_a_page_gets_that() {
    run(async {
        let scene = open_to_all();
        for path in ["/", "/live", "/assets/page.css"] {
            let mut client = scene.connect().await;
            client.send(&format!("HEAD {path} HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n")).await;
            for _ in 0..2 {
                let head = client.until("\r\n\r\n").await;
                assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
                client.read.drain(..head.len());
            }
        }
    });
}

#[test]
fn a_form_that_is_too_long_is_not_read() {
    run(async {
        let scene = open_to_all();
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let long = format!("POST /action HTTP/1.1\r\n{kind}Content-Length: 20000\r\n\r\n");
        assert_eq!(scene.ask(&long).await.status(), "413");
        let unknown = format!("POST /action HTTP/1.1\r\n{kind}Content-Length: 7\r\n\r\ndo=stop");
        assert_eq!(scene.ask(&unknown).await.status(), "403");
    });
}

#[test]
fn closing_lets_an_answer_out_and_removes_the_socket() {
    run(async {
        let scene = open_to_all();
        let (mut idle, mut busy) = (scene.connect().await, scene.connect().await);
        busy.send(&call("supervisor.startProcess", &["x".into()])).await;
        idle.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(idle.answer().await.status(), "200");
        scene.serving.close().await;
        assert!(!scene.folder.path().join("sock").exists());
        assert!(idle.is_hung_up().await);
        assert_eq!(busy.answer().await.result(), Ok(Value::Bool(true)));
        assert!(busy.is_hung_up().await);
    });
}
