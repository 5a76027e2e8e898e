//! Calls to a daemon over its unix socket, on a persistent connection: little work for the client.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use ironlance_e2e::xmlrpc::{self, XmlValue};

/// One question, made ready to be asked again and again.
pub(crate) struct Client {
    socket: PathBuf,
    request: Vec<u8>,
    limit: Duration,
    connection: Option<BufReader<UnixStream>>,
}

impl Client {
    /// Asks for `supervisor.METHOD`; each answer must come within `limit`.
    pub(crate) fn new(socket: &Path, method: &str, params: &[XmlValue], limit: Duration) -> Self {
        let body = xmlrpc::request(&format!("supervisor.{method}"), params);
        let request = format!(
            "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nAccept: text/xml\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { socket: socket.to_owned(), request: request.into_bytes(), limit, connection: None }
    }

    /// The answer's body; a fault is an error.
    pub(crate) fn ask(&mut self) -> anyhow::Result<String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let stream = UnixStream::connect(&self.socket).context("cannot reach the daemon")?;
                stream.set_read_timeout(Some(self.limit)).context("cannot set a time limit")?;
                self.connection.insert(BufReader::with_capacity(1 << 16, stream))
            }
        };
        connection.get_mut().write_all(&self.request).context("cannot ask the daemon")?;
        let (head, body) =
            xmlrpc::read_http(connection)?.context("cannot read the daemon's answer: closed")?;
        let status = head.lines().next().unwrap_or_default();
        let body = String::from_utf8(body).context("cannot read the daemon's answer: not UTF-8")?;
        if !status.contains(" 200") || body.contains("<fault>") {
            bail!("cannot use the daemon's answer: {status}: {body}");
        }
        if head.to_ascii_lowercase().contains("connection: close") {
            self.connection = None;
        }
        Ok(body)
    }
}

/// Asks once.
pub(crate) fn ask(
    socket: &Path,
    method: &str,
    params: &[XmlValue],
    limit: Duration,
) -> anyhow::Result<String> {
    Client::new(socket, method, params, limit).ask()
}
