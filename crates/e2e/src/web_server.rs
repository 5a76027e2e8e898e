//! A web page that misbehaves on order.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::patience::pause;
use crate::xmlrpc::read_http;

/// What a client gets.
#[derive(Clone, Debug)]
pub enum Manner {
    /// This status and reason, and this body.
    Answer(&'static str, &'static str),
    /// Nothing, for as long as the client is there.
    Hang,
    /// A good head, then one byte of the body each 50 ms, without end.
    Drip,
    /// The connection is closed when the request has been read.
    Close,
    /// Bytes that are no HTTP.
    Garbage,
}

/// The server; it ends with the value.
pub struct WebServer {
    port: u16,
    manner: Arc<Mutex<Manner>>,
    requests: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl WebServer {
    /// Starts one on a port of 127.0.0.1.
    pub fn start(manner: Manner) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let port = listener.local_addr().context("cannot tell the port")?.port();
        let this = Self {
            port,
            manner: Arc::new(Mutex::new(manner)),
            requests: Arc::default(),
            over: Arc::default(),
        };
        let (manner, requests, over) =
            (Arc::clone(&this.manner), Arc::clone(&this.requests), Arc::clone(&this.over));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let manner = manner.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let (requests, over) = (Arc::clone(&requests), Arc::clone(&over));
                thread::spawn(move || {
                    // A client that hangs up early is what some tests are about.
                    let _ = serve(stream, &manner, &requests, &over);
                });
            }
        });
        Ok(this)
    }

    /// Its address, for example `http://127.0.0.1:4711`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on it behaves so.
    pub fn order(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
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
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(
    mut stream: TcpStream,
    manner: &Manner,
    requests: &Mutex<Vec<String>>,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone().context("cannot share the stream")?);
    let Some((head, body)) = read_http(&mut reader)? else { return Ok(()) };
    let request = head + &String::from_utf8_lossy(&body);
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match manner {
        Manner::Answer(status, body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )?;
        }
        Manner::Hang => drop(reader.read_to_end(&mut Vec::new())),
        Manner::Drip => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
            while !over.load(Ordering::Relaxed) {
                stream.write_all(b".")?;
                pause(Duration::from_millis(50));
            }
        }
        Manner::Close => {}
        Manner::Garbage => stream.write_all(b"\x00\x01 this is no HTTP\r\n\r\n")?,
    }
    Ok(())
}

/// A port of 127.0.0.1 where nobody listens.
pub fn closed_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
    Ok(listener.local_addr().context("cannot tell the port")?.port())
}
