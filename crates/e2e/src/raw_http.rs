//! HTTP without a client in between: what a server sends, byte for byte.

use std::io::{ErrorKind, Read};

use anyhow::Context;

/// What came back over one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawResponse {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Whether the server closed the connection; otherwise it was silent for the time limit.
    pub closed: bool,
}

impl RawResponse {
    /// As text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The first line.
    pub fn status(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The value of a header of the first answer.
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }

    /// What follows the first head.
    pub fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map_or_else(String::new, |(_, body)| body.to_owned())
    }
}

/// Reads until the server closes, or is silent for the stream's time limit.
pub fn exchange(stream: impl Read) -> anyhow::Result<RawResponse> {
    read(stream, |_| false)
}

/// Reads until the head of the answer is whole, or the server closes.
pub fn head(stream: impl Read) -> anyhow::Result<RawResponse> {
    read(stream, |bytes| bytes.windows(4).any(|four| four == b"\r\n\r\n"))
}

fn read(mut stream: impl Read, enough: impl Fn(&[u8]) -> bool) -> anyhow::Result<RawResponse> {
    let mut answer = RawResponse::default();
    let mut chunk = vec![0; 64 * 1024];
    while !enough(&answer.bytes) {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(RawResponse { closed: true, ..answer }),
            Ok(count) => answer.bytes.extend_from_slice(&chunk[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(answer);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok(RawResponse { closed: true, ..answer });
            }
            Err(error) => return Err(error).context("cannot read the answer"),
        }
    }
    Ok(answer)
}
