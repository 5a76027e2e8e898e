//! Connecting to an endpoint: name lookup, TCP or unix socket, TLS where requested. Callers: `http` and the SMTP channel.

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

/// The time limit for one address when there are others to try.
const PER_ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket by its path.
    Unix(PathBuf),
    /// A TCP port of a host, by name or address (an IPv6 address without brackets).
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Why connecting failed.
#[derive(Debug, Error)]
pub enum DialError {
    /// The name has no address.
    #[error("cannot resolve {host}: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The resolver's message.
        reason: String,
    },
    /// Nothing listens there.
    #[error("{}", os_error(.0))]
    Refused(io::Error),
    /// Any other failure of a socket.
    #[error("{}", os_error(.0))]
    Connect(io::Error),
    /// The certificate authorities cannot be loaded.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The TLS handshake failed.
    #[error("cannot speak TLS with {host}: {reason}")]
    Handshake {
        /// The host.
        host: String,
        /// rustls's message, or ours where it helps more.
        reason: String,
    },
}

impl DialError {
    /// The errno, where the operating system refused.
    pub fn errno(&self) -> Option<i32> {
        let (Self::Refused(error) | Self::Connect(error)) = self else { return None };
        error.raw_os_error()
    }
}

/// A connected stream of any kind.
#[derive(Debug)]
pub enum NetStream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to `endpoint`. The addresses of a host are tried in the resolver's order.
pub async fn dial(endpoint: &Endpoint, tls: &Tls) -> Result<NetStream, DialError> {
    match endpoint {
        Endpoint::Unix(path) => {
            UnixStream::connect(path).await.map(NetStream::Unix).map_err(|error| match error.kind() {
                // No socket yet, or a full backlog: the same as a port where nothing listens yet.
                io::ErrorKind::NotFound | io::ErrorKind::WouldBlock => DialError::Refused(error),
                _ => connect_error(error),
            })
        }
        Endpoint::Tcp { host, port } => {
            let stream = connect(&resolve(host, *port).await?).await?;
            start_tls(stream, host, tls).await
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

/// A getaddrinfo error as Python words it, with its number in front.
fn resolver_error(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    let code = match text {
        "Name or service not known" => -2,
        "Temporary failure in name resolution" => -3,
        "No address associated with hostname" => -5,
        _ => return text.to_owned(),
    };
    format!("[Errno {code}] {text}")
}

/// Connects to the first address that answers. The error is that of the last address, or a refusal if there was one.
pub async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, DialError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let limit = if addresses.len() == 1 { Duration::MAX } else { PER_ADDRESS_TIMEOUT };
    for address in addresses {
        let attempt = tokio::time::timeout(limit, TcpStream::connect(address)).await;
        match attempt.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "timed out"))) {
            Ok(stream) => {
                // Small requests must not wait for each other. A socket without the option still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            // A refusal says more than an address that cannot be reached.
            Err(_) if last.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => last = error,
        }
    }
    Err(connect_error(last))
}

/// Wraps a connection in TLS unless `tls` is off; the certificate must be for `host`.
pub async fn start_tls(stream: TcpStream, host: &str, tls: &Tls) -> Result<NetStream, DialError> {
    let Some(config) = tls::client_config(tls)? else { return Ok(NetStream::Tcp(stream)) };
    let fault = |reason: String| DialError::Handshake { host: host.to_owned(), reason };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| fault(error.to_string()))?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let stream = connected.map_err(|error| fault(tls::handshake_failure(&error)))?;
    Ok(NetStream::Tls(Box::new(stream)))
}

fn connect_error(error: io::Error) -> DialError {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        DialError::Refused(error)
    } else {
        DialError::Connect(error)
    }
}

impl AsyncRead for NetStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            // A peer that closes without close_notify has ended as well; the layer above notices a truncated message.
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf).map(|read| match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                read => read,
            }),
        }
    }
}

impl NetStream {
    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        Pin::new(match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
            Self::Tls(stream) => stream,
        })
    }
}

impl AsyncWrite for NetStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().writer().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().writer().poll_shutdown(cx)
    }
}
