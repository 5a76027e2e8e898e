//! SMTP commands and replies over a stream: [`Dialogue`], each step with a timeout.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use ironlance_net::NetStream;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// The longest reply, in octets; servers send a few hundred.
const MAX_REPLY: u64 = 64 * 1024;

/// The timeout of each step.
#[derive(Clone, Debug)]
pub(super) struct Timeouts {
    pub(super) resolve: Duration,
    pub(super) connect: Duration,
    pub(super) tls: Duration,
    pub(super) banner: Duration,
    pub(super) command: Duration,
    /// A server may work for long after the mail's last dot (RFC 5321, 4.5.3.2.6); a timeout that is too short makes two
    /// mails of one.
    pub(super) accept: Duration,
    pub(super) quit: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            resolve: seconds(10),
            connect: seconds(20),
            tls: seconds(15),
            banner: seconds(30),
            command: seconds(60),
            accept: seconds(300),
            quit: seconds(2),
        }
    }
}

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SmtpReply {
    pub(super) code: u16,
    /// The texts of its lines.
    pub(super) lines: Vec<String>,
}

impl SmtpReply {
    pub(super) const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    pub(super) const fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.lines.join(" ");
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
        write!(f, "{} {text}", self.code)
    }
}

/// Why the dialogue cannot go on.
#[derive(Debug, Error)]
pub(super) enum DialogueError {
    #[error("timed out {0}")]
    TimedOut(&'static str),
    #[error("the server hung up {0}")]
    HungUp(&'static str),
    #[error("the connection broke {0}: {1}")]
    Broke(&'static str, String),
    #[error("cannot understand the server {0}: {1:?}")]
    Nonsense(&'static str, String),
}

/// A stream with alternating commands and replies.
pub(super) struct Dialogue {
    stream: BufReader<NetStream>,
    timeouts: Timeouts,
}

impl Dialogue {
    pub(super) fn new(stream: NetStream, timeouts: Timeouts) -> Self {
        Self { stream: BufReader::new(stream), timeouts }
    }

    /// The stream, for TLS. What the server sent before the handshake is dropped: it was not protected (RFC 3207, 5).
    pub(super) fn into_parts(self) -> (NetStream, Timeouts) {
        (self.stream.into_inner(), self.timeouts)
    }

    /// Sends a line and gives the reply. `when` is for the error: `at MAIL`.
    pub(super) async fn command(
        &mut self,
        line: &str,
        when: &'static str,
    ) -> Result<SmtpReply, DialogueError> {
        self.exchange(line, when, self.timeouts.command).await
    }

    /// Sends QUIT. The reply does not matter.
    pub(super) async fn quit(&mut self) {
        let _ = self.exchange("QUIT", "at QUIT", self.timeouts.quit).await;
    }

    async fn exchange(
        &mut self,
        line: &str,
        when: &'static str,
        limit: Duration,
    ) -> Result<SmtpReply, DialogueError> {
        self.write(format!("{line}\r\n").as_bytes(), when, limit).await?;
        self.reply(when, limit).await
    }

    /// The first reply of a server.
    pub(super) async fn banner(&mut self) -> Result<SmtpReply, DialogueError> {
        self.reply("before its banner", self.timeouts.banner).await
    }

    /// Sends a mail's content, with its dots doubled and the last dot behind it, and gives the reply.
    pub(super) async fn content(&mut self, content: &[u8]) -> Result<SmtpReply, DialogueError> {
        let mut stuffed = Vec::with_capacity(content.len() + 64);
        for line in content.split_inclusive(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        if !stuffed.ends_with(b"\r\n") {
            stuffed.extend_from_slice(b"\r\n");
        }
        stuffed.extend_from_slice(b".\r\n");
        self.write(&stuffed, "in the middle of the mail", self.timeouts.accept).await?;
        self.reply("after the mail", self.timeouts.accept).await
    }

    /// The next reply, of one line or many.
    async fn reply(&mut self, when: &'static str, limit: Duration) -> Result<SmtpReply, DialogueError> {
        timed(when, limit, async {
            let mut lines = Vec::new();
            let mut limited = (&mut self.stream).take(MAX_REPLY);
            loop {
                let mut line = Vec::new();
                let got = limited.read_until(b'\n', &mut line).await;
                got.map_err(|error| DialogueError::Broke(when, ironlance_net::os_error(&error)))?;
                if !line.ends_with(b"\n") {
                    return Err(DialogueError::HungUp(when));
                }
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                let code =
                    line.get(..3).and_then(|code| code.parse().ok()).filter(|code| (200..600).contains(code));
                let Some(code) = code else {
                    return Err(DialogueError::Nonsense(when, line.chars().take(200).collect()));
                };
                lines.push(line.get(4..).unwrap_or_default().to_owned());
                if line.as_bytes().get(3) != Some(&b'-') {
                    return Ok(SmtpReply { code, lines });
                }
            }
        })
        .await
    }

    async fn write(
        &mut self,
        bytes: &[u8],
        when: &'static str,
        limit: Duration,
    ) -> Result<(), DialogueError> {
        let stream = self.stream.get_mut();
        timed(when, limit, async {
            let written = async {
                stream.write_all(bytes).await?;
                stream.flush().await
            };
            written.await.map_err(|error| DialogueError::Broke(when, ironlance_net::os_error(&error)))
        })
        .await
    }
}

async fn timed<T>(
    when: &'static str,
    limit: Duration,
    step: impl Future<Output = Result<T, DialogueError>>,
) -> Result<T, DialogueError> {
    tokio::time::timeout(limit, step).await.unwrap_or(Err(DialogueError::TimedOut(when)))
}
