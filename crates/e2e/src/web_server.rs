//! A web page that misbehaves on order.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::wait::pause;
use crate::xmlrpc::read_http;

/// What a client gets.
#[derive(Clone, Debug)]
pub enum ServerBehaviour {
    /// This status and reason, and this body.
    Answer(&'static str, &'static str),
    /// Nothing, for as long as the client is there.
    Hang,
    /// A good head, then one byte of the body each 50 ms, without end.
    Drip,
    /// The connection is closed when the request has been read.
    Close,
    /// These bytes, whatever they are.
    Raw(&'static [u8]),
}

/// The server; it ends with the value.
pub struct WebServer {
    door: Door,
    behaviour: Arc<Mutex<ServerBehaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl WebServer {
    /// Starts one on a port of 127.0.0.1.
    pub fn start(behaviour: ServerBehaviour) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let door = Door::Tcp(listener.local_addr().context("cannot tell the port")?);
        let this = Self::new(door, behaviour);
        this.accept(move || listener.accept().map(|(stream, _)| stream), TcpStream::try_clone);
        Ok(this)
    }

    /// Starts one on a socket in the file system.
    pub fn start_unix(path: &Path, behaviour: ServerBehaviour) -> anyhow::Result<Self> {
        let listener =
            UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
        let this = Self::new(Door::Unix(path.to_owned()), behaviour);
        this.accept(move || listener.accept().map(|(stream, _)| stream), UnixStream::try_clone);
        Ok(this)
    }

    fn new(door: Door, behaviour: ServerBehaviour) -> Self {
        Self {
            door,
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
            over: Arc::default(),
        }
    }

    fn accept<S: Read + Write + Send + 'static>(
        &self,
        accept: impl Fn() -> std::io::Result<S> + Send + 'static,
        twin: fn(&S) -> std::io::Result<S>,
    ) {
        let (behaviour, requests, over) =
            (Arc::clone(&self.behaviour), Arc::clone(&self.requests), Arc::clone(&self.over));
        thread::spawn(move || {
            while let Ok(stream) = accept() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let behaviour = behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (requests, over) = (Arc::clone(&requests), Arc::clone(&over));
                thread::spawn(move || {
                    if let Ok(reader) = twin(&stream) {
                        // A client that hangs up early is what some tests are about.
                        let _ = serve(reader, stream, &behaviour, &requests, &over);
                    }
                });
            }
        });
    }

    /// Its address for httpok, for example `http://127.0.0.1:4711`; a path may follow.
    pub fn url(&self) -> String {
        match &self.door {
            Door::Tcp(address) => format!("http://{address}"),
            Door::Unix(path) => format!("unix:{}:", path.display()),
        }
    }

    /// From now on it behaves so.
    pub fn set_behaviour(&self, behaviour: ServerBehaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// The requests so far: head, blank line, body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The knock makes accept() return.
        let _ = match &self.door {
            Door::Tcp(address) => TcpStream::connect(address).map(drop),
            Door::Unix(path) => UnixStream::connect(path).map(drop),
        };
    }
}

fn serve(
    reader: impl Read,
    mut stream: impl Write,
    behaviour: &ServerBehaviour,
    requests: &Mutex<Vec<String>>,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut reader = BufReader::new(reader);
    let Some((head, body)) = read_http(&mut reader)? else { return Ok(()) };
    let request = head + &String::from_utf8_lossy(&body);
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match behaviour {
        ServerBehaviour::Answer(status, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )?;
        }
        ServerBehaviour::Hang => drop(reader.read_to_end(&mut Vec::new())),
        ServerBehaviour::Drip => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
            while !over.load(Ordering::Relaxed) {
                stream.write_all(b".")?;
                pause(Duration::from_millis(50));
            }
        }
        ServerBehaviour::Close => {}
        ServerBehaviour::Raw(bytes) => stream.write_all(bytes)?,
    }
    Ok(())
}

/// Below the ports that the kernel gives to clients, so that none of them is taken by one before a server of ours has it.
const PORTS: Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 on which no process listens, another each time.
pub fn closed_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test programs that run side by side begin far from each other.
    let start = process::id().wrapping_mul(101);
    let ports = (0..PORTS.len()).map(|_| {
        let turn =
            start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(PORTS.end - PORTS.start);
        PORTS.start + u16::try_from(turn).unwrap_or_default()
    });
    let mut free = ports.filter(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
    free.next().context("cannot find a free port")
}
