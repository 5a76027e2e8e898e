//! Clients, `Clients`: threads that call methods, start and stop programs, and disconnect early.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::SoakSummary;
use super::fixtures::{self, PRINTERS, SWITCHED};
use super::rng::Rng;
use crate::ctl::supervisorctl;
use crate::daemon::connect;
use crate::implementation::Implementation;
use crate::test_dir::TestDir;
use crate::wait::{TIMEOUT, pause, until};
use crate::xmlrpc::{self, XmlValue};

/// Pause of a client between two requests.
const REST: Duration = Duration::from_millis(15);
/// Life of a `supervisorctl tail -f`.
const FOLLOWERS_LIFE: Duration = Duration::from_millis(700);

/// What all clients share.
#[derive(Clone)]
struct Shared {
    socket: PathBuf,
    over: Arc<AtomicBool>,
    conversations: Arc<AtomicUsize>,
}

/// All clients.
pub(super) struct Clients {
    shared: Shared,
    others: Vec<JoinHandle<anyhow::Result<()>>>,
    switcher: JoinHandle<anyhow::Result<[&'static str; SWITCHED]>>,
}

impl Clients {
    /// Starts all clients.
    pub(super) fn start(dir: &TestDir, implementation: Implementation) -> anyhow::Result<Self> {
        let shared = Shared {
            socket: dir.path("s.sock"),
            over: Arc::new(AtomicBool::new(false)),
            conversations: Arc::new(AtomicUsize::new(0)),
        };
        let client = |work: fn(&Shared) -> anyhow::Result<()>| {
            let shared = shared.clone();
            thread::spawn(move || work(&shared))
        };
        let mut others = vec![client(ask), client(ask), client(disconnect_early), client(disconnect_early)];
        let url = format!("unix://{}", shared.socket.display());
        let mut follow =
            supervisorctl(dir, implementation, &["-s", &url, "tail", "-f", &fixtures::printer(0)])?;
        follow.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let here = shared.clone();
        others.push(thread::spawn(move || {
            while !here.is_over() {
                let follower = follow.spawn().context("cannot start a client")?;
                pause(FOLLOWERS_LIFE);
                kill(follower)?;
                here.talked();
            }
            Ok(())
        }));
        let here = shared.clone();
        let switcher = thread::spawn(move || switch(&here));
        Ok(Self { shared, others, switcher })
    }

    /// Ends all clients; gives in which state each switched program has to be.
    pub(super) fn stop(self, summary: &mut SoakSummary) -> anyhow::Result<[&'static str; SWITCHED]> {
        self.shared.over.store(true, Ordering::Relaxed);
        let wanted = join(self.switcher)?;
        for client in self.others {
            join(client)?;
        }
        summary.conversations = self.shared.conversations.load(Ordering::Relaxed);
        Ok(wanted)
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn talked(&self) {
        self.conversations.fetch_add(1, Ordering::Relaxed);
    }

    fn call(&self, method: &str, params: &[XmlValue]) -> anyhow::Result<Result<XmlValue, XmlValue>> {
        self.talked();
        xmlrpc::ask(connect(&self.socket)?, "", &xmlrpc::request(method, params))
    }
}

fn join<T>(client: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    client.join().map_err(|_| anyhow!("a client panicked"))?
}

fn kill(mut client: Child) -> anyhow::Result<()> {
    client.kill().and_then(|()| client.wait()).map(drop).context("cannot kill a client")
}

/// Each answer must come in time and make sense.
fn ask(shared: &Shared) -> anyhow::Result<()> {
    let mut rng = Rng::new();
    while !shared.is_over() {
        let printer = XmlValue::from(fixtures::printer(rng.below(PRINTERS)).as_str());
        let (method, params) = match rng.below(4) {
            0 => ("supervisor.getState", vec![]),
            1 => ("supervisor.getProcessInfo", vec![printer]),
            2 => ("supervisor.tailProcessStdoutLog", vec![printer, XmlValue::Int(0), XmlValue::Int(2000)]),
            _ => ("supervisor.getAllProcessInfo", vec![]),
        };
        if let Err(fault) = shared.call(method, &params)? {
            bail!("{method}: {fault}");
        }
        pause(REST);
    }
    Ok(())
}

/// As a client that is killed: the connection closes at any point.
fn disconnect_early(shared: &Shared) -> anyhow::Result<()> {
    let mut rng = Rng::new();
    let body = xmlrpc::request("supervisor.getAllProcessInfo", &[]);
    let post = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let follow = format!("GET /logtail/{} HTTP/1.1\r\nHost: x\r\n\r\n", fixtures::printer(1));
    while !shared.is_over() {
        let mut stream = connect(&shared.socket)?;
        let request = if rng.below(3) == 0 { &follow } else { &post };
        let sent = match rng.below(3) {
            0 => rng.below(request.len()),
            _ => request.len(),
        };
        stream.write_all(&request.as_bytes()[..sent]).context("cannot ask")?;
        if sent == request.len() && rng.below(2) == 0 {
            // Some of the answer is read.
            let mut some = vec![0; 1 + rng.below(3000)];
            let _ = stream.read(&mut some);
        }
        shared.talked();
        pause(REST);
    }
    Ok(())
}

/// Starts and stops; the last request for each program is what must hold.
fn switch(shared: &Shared) -> anyhow::Result<[&'static str; SWITCHED]> {
    let mut rng = Rng::new();
    let mut wanted = ["STOPPED"; SWITCHED];
    while !shared.is_over() {
        let number = rng.below(SWITCHED);
        let start = rng.below(2) == 0;
        request_state(shared, number, start, rng.below(2) == 0)?;
        wanted[number] = if start { "RUNNING" } else { "STOPPED" };
        pause(REST);
    }
    // A request during a change of state may be refused: the last one is repeated until it is granted.
    for (number, state) in wanted.iter().enumerate() {
        until("the last request to be granted", TIMEOUT, || {
            Ok(request_state(shared, number, *state == "RUNNING", true)?.then_some(()))
        })?;
    }
    Ok(wanted)
}

/// Asks for it; says whether it is so now.
fn request_state(shared: &Shared, number: usize, start: bool, wait: bool) -> anyhow::Result<bool> {
    let method = if start { "supervisor.startProcess" } else { "supervisor.stopProcess" };
    let name = fixtures::switched(number);
    match shared.call(method, &[name.as_str().into(), XmlValue::Bool(wait)])? {
        Ok(_) => Ok(true),
        Err(fault) => {
            let text = fault.to_string();
            let is_so = text.contains(if start { "ALREADY_STARTED" } else { "NOT_RUNNING" });
            // It was killed while it was being started, or is just being stopped.
            let may_be =
                ["ABNORMAL_TERMINATION", "SPAWN_ERROR", "FAILED"].iter().any(|word| text.contains(word));
            if is_so || may_be { Ok(is_so) } else { bail!("{method} {name}: {text}") }
        }
    }
}
