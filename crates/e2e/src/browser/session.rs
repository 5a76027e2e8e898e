//! The W3C's WebDriver protocol over one connection: a command is an HTTP request, its answer is JSON.

use std::fmt;
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::wait::TIMEOUT;
use crate::xmlrpc::read_http;

/// The browser limits its own work to [`TIMEOUT`], and says so; this is for a driver that hangs.
const SILENCE: Duration = Duration::from_secs(60);

/// What Chromium is started with: headless, as root in a container, without connections beyond this machine.
const ARGUMENTS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--window-size=1200,900",
];

/// A command that the driver refused.
#[derive(Clone, Debug)]
pub struct WebDriverError {
    /// The error code of the specification, for example `stale element reference`.
    pub code: String,
    message: String,
}

impl fmt::Display for WebDriverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message.lines().next().unwrap_or_default())
    }
}

impl std::error::Error for WebDriverError {}

/// A browser that was started by chromedriver.
pub(super) struct WebDriverSession {
    stream: TcpStream,
    path: String,
}

impl WebDriverSession {
    /// Starts Chromium with a profile in the folder.
    pub(super) fn start(port: u16, folder: &Path) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("cannot reach chromedriver")?;
        stream.set_read_timeout(Some(SILENCE)).context("cannot set a time limit")?;
        stream.set_nodelay(true).context("cannot send at once")?;
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let arguments = ARGUMENTS.iter().copied().chain([profile.as_str()]);
        let limit = TIMEOUT.as_millis() as u64;
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments.collect::<Vec<_>>()},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"implicit": 0, "pageLoad": limit, "script": limit},
        }}});
        let mut this = Self { stream, path: "/session".to_owned() };
        let made = this.ask("POST", "", Some(&wanted)).context("cannot start Chromium")?;
        let id = made["sessionId"].as_str().context("cannot find the session's name")?;
        this.path = format!("/session/{id}");
        Ok(this)
    }

    /// `GET` below the session.
    pub(super) fn get(&self, command: &str) -> anyhow::Result<Value> {
        self.ask("GET", command, None).with_context(|| command.to_owned())
    }

    /// `POST` below the session.
    pub(super) fn post(&self, command: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask("POST", command, Some(body)).with_context(|| format!("{command} {body}"))
    }

    /// `DELETE` below the session.
    pub(super) fn delete(&self, command: &str) -> anyhow::Result<Value> {
        self.ask("DELETE", command, None).with_context(|| command.to_owned())
    }

    fn ask(&self, method: &str, command: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {}{command} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.path,
            body.len()
        );
        (&self.stream).write_all(request.as_bytes()).context("cannot ask chromedriver")?;
        // One answer for one request: no byte of the next one can be lost in the buffer.
        let answer = read_http(&mut BufReader::new(&self.stream))?.context("chromedriver has closed")?;
        let mut answer: Value =
            serde_json::from_slice(&answer.1).context("cannot read chromedriver's JSON")?;
        let value = answer["value"].take();
        let Some(code) = value["error"].as_str() else { return Ok(value) };
        let message = value["message"].as_str().unwrap_or_default().to_owned();
        Err(WebDriverError { code: code.to_owned(), message }.into())
    }
}
