//! The server as clients see it: bytes over real sockets, with a stand-in for the owner.

use std::cell::RefCell;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use ironlance_config::{Credentials, HttpServer, Password, ServerAddress};
use ironlance_core::log_level::Level;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_rpc::{FaultKind, Value, read, write};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

mod access;
mod calls;
mod connections;
mod followed_logs;
mod long_logs;
mod odd_clients;
mod unverified_clients;

use super::*;
use crate::inbox::Input;
use crate::request::{LogId, LogLocation, RpcRequest};
use crate::view::DaemonView;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct RecordedLog(RefCell<Vec<String>>);

impl DaemonLog for RecordedLog {
    fn enabled(&self, _: Level) -> bool {
        true
    }

    fn log(&self, level: Level, text: &str) {
        self.0.borrow_mut().push(format!("{} {text}", level.tag()));
    }
}

/// A server on a unix socket, and its owner's stand-in.
struct TestServer {
    folder: TempDir,
    serving: ServerHandle,
    lines: Rc<RecordedLog>,
}

impl TestServer {
    fn open(credentials: Option<Credentials>, limits: HttpLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = ServerAddress::Unix { path: folder.path().join("sock"), mode: 0o700, owner: None };
        let server = http_server(address, credentials);
        let lines = Rc::new(RecordedLog::default());
        let daemon_log: Rc<dyn DaemonLog> = lines.clone();
        let interfaces = ["supervisor".to_owned()];
        let listening = open(&[server], &[], &*daemon_log).unwrap();
        let (owner, inbox) = mpsc::channel(16);
        let serving = serve(listening, &interfaces, &owner, &daemon_log, limits).unwrap();
        spawn_local(fake_owner(inbox, folder.path().join("log")));
        Self { folder, serving, lines }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    async fn connect(&self) -> TestClient {
        connect(&self.folder.path().join("sock")).await
    }

    async fn ask(&self, request: &str) -> TestResponse {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }
}

fn http_server(address: ServerAddress, credentials: Option<Credentials>) -> HttpServer {
    let section = match address {
        ServerAddress::Unix { .. } => "unix_http_server".to_owned(),
        ServerAddress::Tcp { .. } => "inet_http_server".to_owned(),
    };
    HttpServer { section, address, credentials, allow_anonymous_changes: false, allowed_hosts: Vec::new() }
}

/// Answers as an owner would; `supervisor.startProcess` takes a moment, `supervisor.shutdown` for ever.
async fn fake_owner(mut inbox: mpsc::Receiver<Input>, log: PathBuf) {
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
            let _ = reply.send(empty_view());
            continue;
        }
        let Input::Call(call) = input else { continue };
        let answer = match call.request {
            RpcRequest::GetIdentification => Ok("the daemon é".into()),
            RpcRequest::GetProcessInfo { name } => Err(FaultKind::BadName.about(name)),
            RpcRequest::Start { .. } => {
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

fn empty_view() -> DaemonView {
    DaemonView {
        identifier: "supervisor".into(),
        state: DaemonState::Running,
        pid: 1,
        since: Duration::ZERO,
        now: Duration::ZERO,
        programs: Vec::new(),
        listeners: Vec::new(),
        recent: Vec::new(),
    }
}

struct TestClient {
    stream: UnixStream,
    read: Vec<u8>,
}

async fn connect(path: &Path) -> TestClient {
    TestClient { stream: UnixStream::connect(path).await.unwrap(), read: Vec::new() }
}

/// An answer, or as much of it as came before the end.
#[derive(Debug)]
struct TestResponse {
    head: String,
    body: String,
}

impl TestResponse {
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

impl TestClient {
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

    async fn answer(&mut self) -> TestResponse {
        let head = self.until("\r\n\r\n").await;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
        let length: usize = length.parse().unwrap();
        while self.read.len() < head.len() + length {
            assert!(self.more().await, "the body is cut off");
        }
        let body = String::from_utf8(self.read[head.len()..head.len() + length].to_vec()).unwrap();
        self.read.drain(..head.len() + length);
        TestResponse { head, body }
    }

    /// Whether the server hangs up and sends nothing more.
    async fn is_closed(&mut self) -> bool {
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

fn open_server() -> TestServer {
    TestServer::open(None, HttpLimits::default())
}

#[test]
fn old_clients_and_odd_ways_of_sending_are_served() {
    run(async {
        let server = open_server();
        let xml = write::request("supervisor.getIdentification", &[]);
        let old = post(&xml, "").replace("HTTP/1.1", "HTTP/1.0");
        let mut client = server.connect().await;
        client.send(&old).await;
        assert_eq!(client.answer().await.status(), "200");
        assert!(client.is_closed().await);

        let chunked = format!(
            "POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
            &xml[..5],
            xml.len() - 5,
            &xml[5..]
        );
        assert_eq!(server.ask(&chunked).await.result(), Ok("the daemon é".into()));

        let cautious = post(&xml, "Expect: 100-continue\r\n");
        let (head, body) = cautious.split_at(cautious.len() - xml.len());
        let mut client = server.connect().await;
        client.send(head).await;
        client.until("HTTP/1.1 100 Continue\r\n\r\n").await;
        client.read.clear();
        client.send(body).await;
        assert_eq!(client.answer().await.status(), "200");

        assert_eq!(server.ask(&format!("\r\n\r\n{}", post(&xml, ""))).await.status(), "200");
    });
}

#[test]
fn what_is_no_call_gets_the_status_that_the_original_gives_it() {
    run(async {
        let server = open_server();
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
            assert_eq!(server.ask(request).await.status(), status, "{request}");
        }
        let logged = server.lines.0.borrow();
        let complaint = "ERRO XML-RPC request data 'abc' is invalid: unmarshallable";
        assert!(logged.iter().any(|line| line == complaint), "{logged:?}");
        assert!(logged.iter().any(|line| line.starts_with("DEBG cannot read XML-RPC: ")), "{logged:?}");
    });
}

#[test]
fn who_asks_for_the_head_of_a_page_gets_that() {
    run(async {
        let server = open_server();
        for path in ["/", "/live", "/assets/page.css"] {
            let mut client = server.connect().await;
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
        let server = open_server();
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        let long = format!("POST /action HTTP/1.1\r\n{kind}Content-Length: 20000\r\n\r\n");
        assert_eq!(server.ask(&long).await.status(), "413");
        let unknown = format!("POST /action HTTP/1.1\r\n{kind}Content-Length: 7\r\n\r\ndo=stop");
        assert_eq!(server.ask(&unknown).await.status(), "403");
    });
}
