//! The clients of the soak, each a thread: they ask, they start and stop, and they leave without a word.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::Deeds;
use super::cast::{self, SWITCHED, TELLERS};
use super::dice::Dice;
use crate::daemon::connect;
use crate::flavour::Flavour;
use crate::patience::{PATIENCE, pause, until};
use crate::scene::Scene;
use crate::xmlrpc::{self, Value};

/// Each client rests so long between two conversations.
const REST: Duration = Duration::from_millis(15);
/// A `supervisorctl tail -f` lives so long.
const FOLLOWERS_LIFE: Duration = Duration::from_millis(700);

/// What all clients share.
#[derive(Clone)]
struct Place {
    socket: PathBuf,
    over: Arc<AtomicBool>,
    conversations: Arc<AtomicUsize>,
}

/// All clients.
pub(super) struct Crowd {
    place: Place,
    rude: Vec<JoinHandle<anyhow::Result<()>>>,
    switcher: JoinHandle<anyhow::Result<[&'static str; SWITCHED]>>,
}

impl Crowd {
    /// They come, and begin.
    pub(super) fn gather(scene: &Scene, flavour: Flavour) -> anyhow::Result<Self> {
        let place = Place {
            socket: scene.path("s.sock"),
            over: Arc::new(AtomicBool::new(false)),
            conversations: Arc::new(AtomicUsize::new(0)),
        };
        let client = |work: fn(&Place) -> anyhow::Result<()>| {
            let place = place.clone();
            thread::spawn(move || work(&place))
        };
        let mut rude = vec![client(ask), client(ask), client(break_off), client(break_off)];
        // The original's client follows a log until it is killed; ours will be able to do so later.
        let _ = flavour;
        let control = Flavour::Original.path("supervisorctl")?;
        let mut follow = scene.command(control, Flavour::Original)?;
        follow
            .args(["-s", &format!("unix://{}", place.socket.display()), "tail", "-f", &cast::teller(0)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let here = place.clone();
        rude.push(thread::spawn(move || {
            while !here.is_over() {
                let follower = follow.spawn().context("cannot start a client")?;
                pause(FOLLOWERS_LIFE);
                kill(follower)?;
                here.talked();
            }
            Ok(())
        }));
        let here = place.clone();
        let switcher = thread::spawn(move || switch(&here));
        Ok(Self { place, rude, switcher })
    }

    /// They go; gives in which state each switched program has to be.
    pub(super) fn disperse(self, deeds: &mut Deeds) -> anyhow::Result<[&'static str; SWITCHED]> {
        self.place.over.store(true, Ordering::Relaxed);
        let wanted = join(self.switcher)?;
        for client in self.rude {
            join(client)?;
        }
        deeds.conversations = self.place.conversations.load(Ordering::Relaxed);
        Ok(wanted)
    }
}

impl Place {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn talked(&self) {
        self.conversations.fetch_add(1, Ordering::Relaxed);
    }

    fn call(&self, method: &str, params: &[Value]) -> anyhow::Result<Result<Value, Value>> {
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
fn ask(place: &Place) -> anyhow::Result<()> {
    let mut dice = Dice::new();
    while !place.is_over() {
        let teller = Value::from(cast::teller(dice.roll(TELLERS)).as_str());
        let (method, params) = match dice.roll(4) {
            0 => ("supervisor.getState", vec![]),
            1 => ("supervisor.getProcessInfo", vec![teller]),
            2 => ("supervisor.tailProcessStdoutLog", vec![teller, Value::Int(0), Value::Int(2000)]),
            _ => ("supervisor.getAllProcessInfo", vec![]),
        };
        if let Err(fault) = place.call(method, &params)? {
            bail!("{method}: {fault}");
        }
        pause(REST);
    }
    Ok(())
}

/// As a client that is killed: the connection closes at any point.
fn break_off(place: &Place) -> anyhow::Result<()> {
    let mut dice = Dice::new();
    let body = xmlrpc::request("supervisor.getAllProcessInfo", &[]);
    let post = format!("POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let follow = format!("GET /logtail/{} HTTP/1.1\r\nHost: x\r\n\r\n", cast::teller(1));
    while !place.is_over() {
        let mut stream = connect(&place.socket)?;
        let request = if dice.roll(3) == 0 { &follow } else { &post };
        let sent = match dice.roll(3) {
            0 => dice.roll(request.len()),
            _ => request.len(),
        };
        stream.write_all(&request.as_bytes()[..sent]).context("cannot ask")?;
        if sent == request.len() && dice.roll(2) == 0 {
            // Some of the answer is read.
            let mut some = vec![0; 1 + dice.roll(3000)];
            let _ = stream.read(&mut some);
        }
        place.talked();
        pause(REST);
    }
    Ok(())
}

/// Starts and stops; the last wish of each program is what must hold.
fn switch(place: &Place) -> anyhow::Result<[&'static str; SWITCHED]> {
    let mut dice = Dice::new();
    let mut wanted = ["STOPPED"; SWITCHED];
    while !place.is_over() {
        let number = dice.roll(SWITCHED);
        let start = dice.roll(2) == 0;
        wish(place, number, start, dice.roll(2) == 0)?;
        wanted[number] = if start { "RUNNING" } else { "STOPPED" };
        pause(REST);
    }
    // A wish during a change of state may be refused: the last one is repeated until it is granted.
    for (number, state) in wanted.iter().enumerate() {
        until("the last wish to be granted", PATIENCE, || {
            Ok(wish(place, number, *state == "RUNNING", true)?.then_some(()))
        })?;
    }
    Ok(wanted)
}

/// Asks for it; says whether it is so now.
fn wish(place: &Place, number: usize, start: bool, wait: bool) -> anyhow::Result<bool> {
    let method = if start { "supervisor.startProcess" } else { "supervisor.stopProcess" };
    let name = cast::switched(number);
    match place.call(method, &[name.as_str().into(), Value::Bool(wait)])? {
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
