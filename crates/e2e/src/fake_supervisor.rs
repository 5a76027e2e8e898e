//! A supervisord that is only its XML-RPC interface: processes as a test wants them, answers as it orders them.

use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;

use crate::test_dir::TestDir;
use crate::xmlrpc::{self, XmlValue, fault};

/// RUNNING in supervisord's numbers.
pub const RUNNING: i64 = 20;
/// STOPPED in supervisord's numbers.
pub const STOPPED: i64 = 0;

/// What the next call of a method gets instead of the ordinary answer.
#[derive(Clone, Debug)]
pub enum FakeAnswer {
    /// This value.
    Value(XmlValue),
    /// This fault.
    Fault(i64, &'static str),
    /// The connection is closed without a word.
    Hangup,
    /// Nothing, for as long as the client is there.
    Silence,
}

/// A process that it tells of.
#[derive(Clone, Debug)]
struct Process {
    group: String,
    name: String,
    state: i64,
    pid: u32,
    started: i64,
    now: i64,
}

impl Process {
    fn info(&self) -> XmlValue {
        let running = self.state == RUNNING;
        let text = |name: &str, value: &str| (name.to_owned(), XmlValue::from(value));
        let number = |name: &str, value: i64| (name.to_owned(), XmlValue::Int(value));
        XmlValue::Struct(vec![
            text("name", &self.name),
            text("group", &self.group),
            number("start", self.started),
            number("stop", 0),
            number("now", self.now),
            number("state", self.state),
            text("statename", if running { "RUNNING" } else { "STOPPED" }),
            text("spawnerr", ""),
            number("exitstatus", 0),
            text("logfile", ""),
            text("stdout_logfile", ""),
            text("stderr_logfile", ""),
            number("pid", if running { i64::from(self.pid) } else { 0 }),
            text("description", "as the test wants it"),
        ])
    }

    fn is(&self, namespec: &str) -> bool {
        namespec == self.name || namespec == format!("{}:{}", self.group, self.name)
    }
}

#[derive(Default)]
struct SharedState {
    processes: Vec<Process>,
    orders: HashMap<String, VecDeque<FakeAnswer>>,
    calls: Vec<(String, Vec<XmlValue>)>,
    heads: Vec<String>,
}

/// The server; it ends with the value.
pub struct FakeSupervisor {
    url: String,
    socket: PathBuf,
    shared: Arc<Mutex<SharedState>>,
    over: Arc<AtomicBool>,
}

impl FakeSupervisor {
    /// On a unix socket in the test directory.
    pub fn start(dir: &TestDir) -> anyhow::Result<Self> {
        let socket = (0..).map(|n| dir.path(&format!("fake{n}.sock"))).find(|path| !path.exists());
        let socket = socket.context("cannot name a socket")?;
        let listener =
            UnixListener::bind(&socket).with_context(|| format!("cannot listen on {}", socket.display()))?;
        let url = format!("unix://{}", socket.display());
        let server = Self { url, socket, shared: Arc::default(), over: Arc::default() };
        let (shared, over) = (Arc::clone(&server.shared), Arc::clone(&server.over));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // It fails when the client has hung up, which is the client's affair.
                thread::spawn(move || drop(converse(&shared, &stream)));
            }
        });
        Ok(server)
    }

    /// For `SUPERVISOR_SERVER_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a process that has been running for ten minutes.
    pub fn running(&self, namespec: &str, pid: u32) {
        self.process(namespec, pid, RUNNING, 600);
    }

    /// Adds a process that is not running.
    pub fn stopped(&self, namespec: &str) {
        self.process(namespec, 0, STOPPED, 0);
    }

    /// Adds a process that was started so many seconds ago.
    pub fn process(&self, namespec: &str, pid: u32, state: i64, uptime: i64) {
        let (group, name) = namespec.split_once(':').unwrap_or((namespec, namespec));
        let now = 1_795_430_400;
        let (group, name) = (group.to_owned(), name.to_owned());
        lock(&self.shared).processes.push(Process { group, name, state, pid, started: now - uptime, now });
    }

    /// The next call of `method` gets this answer; more orders for one method are carried out in turn.
    pub fn answer_next(&self, method: &str, answer: FakeAnswer) {
        lock(&self.shared).orders.entry(method.to_owned()).or_default().push_back(answer);
    }

    /// The calls so far that change something, as `method(parameters)`.
    pub fn actions(&self) -> Vec<String> {
        let shared = lock(&self.shared);
        let acts = |method: &str| ["stop", "start", "signal"].iter().any(|verb| method.contains(verb));
        let calls = shared.calls.iter().filter(|(method, _)| acts(method));
        calls.map(|(method, params)| format!("{method}({})", describe(params))).collect()
    }

    /// The methods called so far; the parts of a multicall count, the multicall itself does not.
    pub fn methods(&self) -> Vec<String> {
        lock(&self.shared).calls.iter().map(|(method, _)| method.clone()).collect()
    }

    /// The heads of the HTTP requests so far.
    pub fn heads(&self) -> Vec<String> {
        lock(&self.shared).heads.clone()
    }
}

impl Drop for FakeSupervisor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A connection makes accept() return.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn lock(shared: &Mutex<SharedState>) -> MutexGuard<'_, SharedState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(params: &[XmlValue]) -> String {
    let text = |value: &XmlValue| match value {
        XmlValue::Str(text) => text.clone(),
        other => format!("{other:?}"),
    };
    params.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn converse(shared: &Mutex<SharedState>, mut stream: &UnixStream) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some((head, body)) = xmlrpc::read_http(&mut reader)? {
        let (method, params) = xmlrpc::parse_request(&String::from_utf8_lossy(&body))?;
        lock(shared).heads.push(head);
        let answer = match reply(shared, &method, &params) {
            FakeAnswer::Value(value) => Ok(value),
            FakeAnswer::Fault(code, text) => Err(fault(code, text)),
            FakeAnswer::Hangup => return Ok(()),
            FakeAnswer::Silence => {
                reader.read_to_end(&mut Vec::new())?;
                return Ok(());
            }
        };
        let body = xmlrpc::response(&answer);
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
    }
    Ok(())
}

fn reply(shared: &Mutex<SharedState>, method: &str, params: &[XmlValue]) -> FakeAnswer {
    if method == "system.multicall" {
        let parts = params.first().map(XmlValue::items).unwrap_or_default();
        return FakeAnswer::Value(XmlValue::Array(
            parts.iter().map(|part| part_of_multicall(shared, part)).collect(),
        ));
    }
    let mut shared = lock(shared);
    shared.calls.push((method.to_owned(), params.to_vec()));
    if let Some(answer) = shared.orders.get_mut(method).and_then(VecDeque::pop_front) {
        return answer;
    }
    ordinary(&mut shared.processes, method, params)
}

fn part_of_multicall(shared: &Mutex<SharedState>, part: &XmlValue) -> XmlValue {
    let method = part.get("methodName").and_then(XmlValue::as_str).unwrap_or_default();
    let params = part.get("params").map(XmlValue::items).unwrap_or_default();
    match reply(shared, method, params) {
        FakeAnswer::Value(value) => XmlValue::Array(vec![value]),
        FakeAnswer::Fault(code, text) => fault(code, text),
        FakeAnswer::Hangup | FakeAnswer::Silence => fault(1, "UNKNOWN_METHOD"),
    }
}

fn ordinary(processes: &mut [Process], method: &str, params: &[XmlValue]) -> FakeAnswer {
    let namespec = params.first().and_then(XmlValue::as_str).unwrap_or_default();
    let process = processes.iter_mut().find(|process| process.is(namespec));
    match (method, process) {
        ("supervisor.getAllProcessInfo", _) => {
            FakeAnswer::Value(XmlValue::Array(processes.iter().map(Process::info).collect()))
        }
        ("supervisor.getIdentification", _) => FakeAnswer::Value("supervisor".into()),
        ("supervisor.getProcessInfo", Some(process)) => FakeAnswer::Value(process.info()),
        ("supervisor.stopProcess", Some(process)) if process.state == RUNNING => {
            process.state = STOPPED;
            FakeAnswer::Value(XmlValue::Bool(true))
        }
        ("supervisor.stopProcess", Some(_)) => FakeAnswer::Fault(70, "NOT_RUNNING"),
        ("supervisor.startProcess", Some(process)) if process.state != RUNNING => {
            process.state = RUNNING;
            FakeAnswer::Value(XmlValue::Bool(true))
        }
        ("supervisor.startProcess", Some(_)) => FakeAnswer::Fault(60, "ALREADY_STARTED"),
        ("supervisor.signalProcess", Some(_)) => FakeAnswer::Value(XmlValue::Bool(true)),
        (_, None) if !namespec.is_empty() => FakeAnswer::Fault(10, "BAD_NAME"),
        _ => FakeAnswer::Fault(1, "UNKNOWN_METHOD"),
    }
}
