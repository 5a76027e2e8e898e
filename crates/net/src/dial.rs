//! From a name to a stream of bytes: resolve, connect, and speak TLS where asked.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::os_error;
use crate::tls::{self, Tls, TlsError};

/// How long one address may take to be reached when there are others to try.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// The other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A TCP port of a host, by name or address (an IPv6 address without brackets).
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Why there is no stream.
#[derive(Debug, Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody listens there.
    #[error("{}", os_error(.0))]
    Refused(io::Error),
    /// Any other failure of a socket.
    #[error("{}", os_error(.0))]
    Connect(io::Error),
    /// The authorities cannot be loaded.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The handshake failed: the reason says whose fault it is.
    #[error("cannot speak TLS with {host}: {reason}")]
    Handshake {
        /// The host.
        host: String,
        /// What rustls says.
        reason: String,
    },
}

impl DialError {
    /// The operating system's number for it, where it is the system that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused(error) | Self::Connect(error) => error.raw_os_error(),
            Self::Resolve { .. } | Self::Tls(_) | Self::Handshake { .. } => None,
        }
    }
}

/// A connection of any kind.
#[derive(Debug)]
pub enum Stream {
    /// In the clear over TCP.
    Tcp(TcpStream),
    /// A socket in the file system.
    Unix(UnixStream),
    /// Encrypted over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to `peer`. Its addresses are tried in the resolver's order.
pub async fn dial(peer: &Peer, tls: &Tls) -> Result<Stream, DialError> {
    match peer {
        Peer::Unix(path) => {
            UnixStream::connect(path).await.map(Stream::Unix).map_err(|error| match error.kind() {
                // No socket yet, or a full queue: as good as a port where nobody listens yet.
                io::ErrorKind::NotFound | io::ErrorKind::WouldBlock => DialError::Refused(error),
                _ => connect_error(error),
            })
        }
        Peer::Tcp { host, port } => {
            let stream = connect(&resolve(host, *port).await?).await?;
            secure(stream, host, tls).await
        }
    }
}

/// The addresses of a host; never empty.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let fault = |reason: String| DialError::Resolve { host: host.to_owned(), reason };
    let addresses: Vec<SocketAddr> =
        tokio::net::lookup_host((host, port)).await.map_err(|error| fault(resolver_error(&error)))?.collect();
    if addresses.is_empty() { Err(fault("it has no address".to_owned())) } else { Ok(addresses) }
}

/// What getaddrinfo says, in Python's words: with its number in front.
fn resolver_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    let codes = [
        ("Name or service not known", -2),
        ("Temporary failure in name resolution", -3),
        ("No address associated with hostname", -5),
    ];
    match codes.iter().find(|(words, _)| *words == text) {
        Some((words, code)) => format!("[Errno {code}] {words}"),
        None => text.to_owned(),
    }
}

/// Connects to the first of the addresses that answers; the error is that of the last one, but a refusal stays.
pub async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let attempt = TcpStream::connect(address);
        let outcome = if addresses.len() == 1 {
            attempt.await
        } else {
            let timed = tokio::time::timeout(ADDRESS_TIMEOUT, attempt).await;
            timed.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "timed out")))
        };
        match outcome {
            Ok(stream) => {
                // Small requests must not wait for each other; a socket that cannot do it still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            // That nobody listens says more than that an address cannot be reached.
            Err(_) if last.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => last = error,
        }
    }
    Err(connect_error(last))
}

/// Wraps a connection in TLS when asked to; the peer must prove to be `host`.
pub async fn secure(stream: TcpStream, host: &str, tls: &Tls) -> Result<Stream, DialError> {
    let Some(config) = tls::client_config(tls)? else { return Ok(Stream::Tcp(stream)) };
    let fault = |reason: String| DialError::Handshake { host: host.to_owned(), reason };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| fault(error.to_string()))?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let stream = connected.map_err(|error| fault(tls::reason(&error)))?;
    Ok(Stream::Tls(Box::new(stream)))
}

fn connect_error(error: io::Error) -> DialError {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        DialError::Refused(error)
    } else {
        DialError::Connect(error)
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            // A peer that closes without saying so in TLS first has ended all the same; what it cut is seen above.
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buf) {
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                other => other,
            },
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
