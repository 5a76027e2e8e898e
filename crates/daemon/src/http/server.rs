//! Accepts connections: [`serve`] starts a task for each server socket and one for each connection; [`ServerHandle`]
//! ends them.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ironlance_core::log_level::Level;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::DaemonLog;
use super::connection::slots::{ConnectionSlot, ConnectionSlots};
use super::connection::state::{CloseMode, ConnectionState, Phase};
use super::connection::timed_stream::TimedStream;
use super::error_response::ErrorResponse;
use super::limits::HttpLimits;
use super::listen::{BoundServer, ListeningSocket, SocketFile};
use super::methods::Interfaces;
use super::owner::OwnerClient;
use super::service::{PeerInfo, Service};
use crate::inbox::Input;

/// Pause after a failed accept(2), such as EMFILE.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// The response when no slot can be freed.
fn too_many_connections() -> String {
    let line = ErrorResponse::TOO_MANY_CONNECTIONS.line();
    let length = line.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain;charset=utf-8\r\nContent-Length: {length}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{line}"
    )
}

/// The running servers.
pub struct ServerHandle {
    servers: Vec<RunningServer>,
}

struct RunningServer {
    accepting: JoinHandle<()>,
    slots: Rc<ConnectionSlots>,
    /// Removes a unix socket when dropped.
    _socket_file: Option<Rc<SocketFile>>,
}

/// Serves these sockets, in tasks, until the result is closed or dropped. `interfaces` are the names of the stock
/// `[rpcinterface:NAME]` sections. Must be called within a `LocalSet`.
///
/// # Errors
/// The error of the runtime if it cannot register a socket.
pub fn serve(
    listening: Vec<BoundServer>,
    interfaces: &[String],
    owner: &mpsc::Sender<Input>,
    daemon_log: &Rc<dyn DaemonLog>,
    limits: HttpLimits,
) -> io::Result<ServerHandle> {
    let mut servers = Vec::new();
    for BoundServer { server, socket, access, socket_file: name, .. } in listening {
        let interfaces = Interfaces::new(interfaces.to_vec());
        let service = Rc::new(Service::new(
            &server,
            access,
            interfaces,
            OwnerClient::new(owner.clone()),
            Rc::clone(daemon_log),
            limits,
        ));
        let slots = Rc::new(ConnectionSlots::new(limits, Rc::clone(daemon_log)));
        let accepting = match socket {
            ListeningSocket::Unix(socket) => {
                let socket = UnixListener::from_std(socket)?;
                spawn_local(accept_all(async move || accept_unix(&socket).await, service, Rc::clone(&slots)))
            }
            ListeningSocket::Tcp(socket) => {
                let socket = TcpListener::from_std(socket)?;
                spawn_local(accept_all(async move || accept_tcp(&socket).await, service, Rc::clone(&slots)))
            }
        };
        servers.push(RunningServer { accepting, slots, _socket_file: name });
    }
    Ok(ServerHandle { servers })
}

impl ServerHandle {
    /// Accepts no more connections, lets responses in progress finish (for half a second at most), and closes all. Unix
    /// sockets are removed if they are still ours.
    pub async fn close(self) {
        for server in &self.servers {
            server.accepting.abort();
        }
        for server in &self.servers {
            server.slots.close_all().await;
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_unix(socket: &UnixListener) -> io::Result<(UnixStream, PeerInfo)> {
    let (stream, _) = socket.accept().await?;
    let credentials = stream.peer_cred().ok().map(|found| {
        let pid = found.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
        (pid, found.uid())
    });
    Ok((stream, PeerInfo { address: None, credentials }))
}

async fn accept_tcp(socket: &TcpListener) -> io::Result<(TcpStream, PeerInfo)> {
    let (stream, peer) = socket.accept().await?;
    // A response is one write and should be sent at once; keep-alive frees the slot of a peer that vanished. If the
    // kernel refuses either option, that only costs time.
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_keepalive(&stream, true);
    Ok((stream, PeerInfo { address: Some(peer), credentials: None }))
}

/// Starts a task for each connection.
async fn accept_all<S>(
    accept: impl AsyncFn() -> io::Result<(S, PeerInfo)>,
    service: Rc<Service>,
    slots: Rc<ConnectionSlots>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    loop {
        match accept().await {
            Ok((stream, peer)) => match slots.acquire() {
                Some(slot) => {
                    drop(spawn_local(serve_connection(stream, peer, Rc::clone(&service), slot)));
                }
                None => drop(spawn_local(reject_connection(stream))),
            },
            // Usually EMFILE: closing a connection frees a descriptor.
            Err(error) => {
                let line = format!("cannot accept a connection for {}: {error}", service.section);
                service.daemon_log.log(Level::Error, &line);
                slots.evict_one();
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn reject_connection<S: AsyncWrite + Unpin>(mut stream: S) {
    // The socket's send buffer is empty, so this is written at once or not at all.
    let _ = tokio::time::timeout(ACCEPT_RETRY, stream.write_all(too_many_connections().as_bytes())).await;
}

/// Serves one connection until the client closes it or it is to be closed. Its errors affect no other connection.
async fn serve_connection<S>(stream: S, peer: PeerInfo, service: Rc<Service>, slot: ConnectionSlot)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let state = Rc::clone(&slot.state);
    let handler = service_fn(|request: Request<Incoming>| {
        let (service, state) = (Rc::clone(&service), Rc::clone(&state));
        async move { service.respond(request, peer, state).await }
    });
    let stream = TimedStream::new(stream, Rc::clone(&state));
    let limits = &state.limits;
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(limits.head_bytes)
            .max_headers(limits.headers)
            .title_case_headers(true)
            // A client may close its sending side after the request, as nc does, and still read the response.
            .half_close(true)
            .serve_connection(TokioIo::new(stream.clone()), handler)
    );
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended && error.is_parse() {
                    service.daemon_log.log(Level::Debug, &format!("[{}] cannot read a request: {error}", service.section));
                }
                return linger(&stream, &state).await;
            }
            () = stream.stream_reader_gone() => break,
            how = state.close_requested() => match how {
                CloseMode::Now => break,
                CloseMode::AfterResponse => connection.as_mut().graceful_shutdown(),
            },
        }
    }
}

/// Waits until the client has read its last response and closed its side, for a bounded time, or until its slot is
/// needed.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(stream: &TimedStream<S>, state: &ConnectionState) {
    state.enter(Phase::Refused);
    let limits = &state.limits;
    tokio::select! {
        biased;
        _ = state.close_requested() => {}
        () = sleep(limits.linger_time) => {}
        () = stream.drain(limits.linger_bytes) => {}
    }
}

/// Serves one connection over any stream, for the tests and the fuzzer. `interfaces` and `limits` as for [`serve`].
/// Must be called within a `LocalSet`; returns when the connection is closed.
pub async fn serve_stream<S>(
    stream: S,
    server: &ironlance_config::HttpServer,
    interfaces: &[String],
    owner: mpsc::Sender<Input>,
    daemon_log: Rc<dyn DaemonLog>,
    limits: HttpLimits,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let interfaces = Interfaces::new(interfaces.to_vec());
    let slots = Rc::new(ConnectionSlots::new(limits, Rc::clone(&daemon_log)));
    let service = Service::new(
        server,
        super::access::Access::Full,
        interfaces,
        OwnerClient::new(owner),
        daemon_log,
        limits,
    );
    if let Some(slot) = slots.acquire() {
        serve_connection(stream, PeerInfo::default(), Rc::new(service), slot).await;
    }
}
