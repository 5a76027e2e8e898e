//! Fake carriers of alerts: [`FakeCarrier`], an HTTP server that refuses what the real one would refuse, in its words
//! ([`CarrierRules`], a file each), and misbehaves on order. `card_outbox` brings it messages.

pub mod alertmanager;
pub mod aliyun;
pub mod card_outbox;
pub mod dingtalk;
pub mod feishu;
pub mod ntfy;
pub mod pagerduty;
pub mod robot;
pub mod slack;
pub mod teams;
pub mod telegram;
pub mod webhook;
pub mod wecom;

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use crate::xmlrpc::read_http;

/// What a carrier is sent.
#[derive(Clone, Debug)]
pub struct CarrierRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When it came.
    pub at: Instant,
}

/// What it answers.
#[derive(Clone, Debug)]
pub struct CarrierAnswer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// What happens to one request instead of what the rules say.
#[derive(Clone, Debug)]
pub enum Misbehaviour {
    /// This answer.
    Answer(CarrierAnswer),
    /// The connection is closed.
    Close,
    /// The answer is cut in the middle of its body.
    Cut,
}

/// How a carrier judges a request. `Err` is its refusal.
pub trait CarrierRules: Send + 'static {
    /// Judges a request.
    fn judge(&mut self, request: &CarrierRequest) -> Result<CarrierAnswer, CarrierAnswer>;
}

/// A carrier on a port of 127.0.0.1; it ends with the value.
pub struct FakeCarrier {
    address: SocketAddr,
    log: Arc<Mutex<CarrierLog>>,
    is_over: Arc<AtomicBool>,
}

#[derive(Default)]
struct CarrierLog {
    script: VecDeque<Misbehaviour>,
    all: Vec<CarrierRequest>,
    taken: Vec<CarrierRequest>,
    refusals: Vec<String>,
}

impl CarrierRequest {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it is a POST of JSON to this target by our client.
    pub fn is_json_post_to(&self, target: &str) -> bool {
        let has_type = self.header("content-type").is_some_and(|value| value.starts_with("application/json"));
        let is_ours = self.header("user-agent").is_some_and(|value| value.starts_with("ironlance/"));
        self.method == "POST" && self.target == target && has_type && is_ours
    }
}

impl CarrierAnswer {
    /// An answer.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The answer with `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        self.headers.push(("Retry-After", value.to_owned()));
        self
    }

    fn write(&self, stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head =
            format!("HTTP/1.1 {} X\r\n{headers}Content-Length: {}\r\n\r\n", self.status, self.body.len());
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }
}

impl FakeCarrier {
    /// Starts one. The first requests meet with what the script says, the others with the rules.
    pub fn start(rules: impl CarrierRules, script: Vec<Misbehaviour>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let address = listener.local_addr().context("cannot tell the port")?;
        let log = Arc::new(Mutex::new(CarrierLog { script: script.into(), ..CarrierLog::default() }));
        let is_over = Arc::new(AtomicBool::new(false));
        let (ours, over, rules) = (Arc::clone(&log), Arc::clone(&is_over), Arc::new(Mutex::new(rules)));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (log, rules) = (Arc::clone(&ours), Arc::clone(&rules));
                thread::spawn(move || {
                    let mut rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
                    // A client that is gone needs no answer.
                    let _ = serve(stream, &log, &mut *rules);
                });
            }
        });
        Ok(Self { address, log, is_over })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn with<T>(&self, read: impl FnOnce(&CarrierLog) -> T) -> T {
        read(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every request.
    pub fn requests(&self) -> Vec<CarrierRequest> {
        self.with(|log| log.all.clone())
    }

    /// The requests that were taken by the rules.
    pub fn taken(&self) -> Vec<CarrierRequest> {
        self.with(|log| log.taken.clone())
    }

    /// The bodies of what the rules refused, and its words.
    pub fn refusals(&self) -> Vec<String> {
        self.with(|log| log.refusals.clone())
    }
}

impl Drop for FakeCarrier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<CarrierLog>,
    rules: &mut impl CarrierRules,
) -> anyhow::Result<()> {
    let Some((head, body)) = read_http(&mut BufReader::new(stream.try_clone()?))? else { return Ok(()) };
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let request = CarrierRequest {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        body,
        at: Instant::now(),
    };
    let next = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.all.push(request.clone());
        log.script.pop_front()
    };
    match next {
        Some(Misbehaviour::Close) => return Ok(()),
        Some(Misbehaviour::Cut) => {
            CarrierAnswer::new(200, "the rest of this is missing").write(&mut stream, b"the rest")?;
            return Ok(());
        }
        Some(Misbehaviour::Answer(answer)) => answer.write(&mut stream, answer.body.as_bytes())?,
        None => {
            let judged = rules.judge(&request);
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = match judged {
                Ok(answer) => {
                    log.taken.push(request);
                    answer
                }
                Err(refusal) => {
                    log.refusals.push(format!(
                        "{}: {}",
                        refusal.body,
                        String::from_utf8_lossy(&request.body)
                    ));
                    refusal
                }
            };
            drop(log);
            answer.write(&mut stream, answer.body.as_bytes())?;
        }
    }
    Ok(())
}
