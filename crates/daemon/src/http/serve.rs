//! Connections: accepted, given a seat and a task, and closed.

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
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::Journal;
use super::answer::{Desk, Ends};
use super::limits::Limits;
use super::listen::{Listening, Name, Socket};
use super::methods::Interfaces;
use super::phase::Phase;
use super::pulse::{Leave, Pulse};
use super::refusal::Refusal;
use super::seats::{Seat, Seats};
use super::wire::Wire;
use crate::inbox::Input;

/// After a failure to accept, such as too many open files, it is tried again so much later.
const BREATH: Duration = Duration::from_millis(200);

/// What a client gets when all seats are taken.
fn full_house() -> String {
    let line = Refusal::TooManyConnections.line();
    let length = line.len();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain;charset=utf-8\r\nContent-Length: {length}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{line}"
    )
}

/// The servers at work.
pub struct Serving {
    servers: Vec<Server>,
}

struct Server {
    accepting: JoinHandle<()>,
    seats: Rc<Seats>,
    /// Removes a unix socket when dropped.
    _name: Option<Name>,
}

/// Answers on these sockets, in tasks of their own, until the result is closed or dropped. `interfaces` are the names
/// of the stock `[rpcinterface:NAME]` sections. Must be called within a `LocalSet`.
///
/// # Errors
/// What the runtime says of a socket that it cannot take.
pub fn serve(
    listening: Vec<Listening>,
    interfaces: &[String],
    owner: &mpsc::Sender<Input>,
    journal: &Rc<dyn Journal>,
    limits: Limits,
) -> std::io::Result<Serving> {
    let mut servers = Vec::new();
    for Listening { server, socket, rights, name, .. } in listening {
        let interfaces = Interfaces::new(interfaces.to_vec());
        let desk = Rc::new(Desk::new(&server, rights, interfaces, owner.clone(), Rc::clone(journal), limits));
        let seats = Rc::new(Seats::new(limits, Rc::clone(journal)));
        let accepting = match socket {
            Socket::Unix(socket) => {
                let socket = UnixListener::from_std(socket)?;
                spawn_local(accept_unix(socket, desk, Rc::clone(&seats)))
            }
            Socket::Tcp(socket) => {
                let socket = TcpListener::from_std(socket)?;
                spawn_local(accept_tcp(socket, desk, Rc::clone(&seats)))
            }
        };
        servers.push(Server { accepting, seats, _name: name });
    }
    Ok(Serving { servers })
}

impl Serving {
    /// Takes no more connections, lets what is being answered be answered (for half a second at most), and closes
    /// all. Unix sockets are removed where they are still ours.
    pub async fn close(self) {
        for server in &self.servers {
            server.accepting.abort();
        }
        for server in &self.servers {
            server.seats.empty().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept_unix(socket: UnixListener, desk: Rc<Desk>, seats: Rc<Seats>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                let told = stream.peer_cred().ok();
                let process = told.map(|told| {
                    let pid = told.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
                    (pid, told.uid())
                });
                receive(stream, Ends { process, ..Ends::default() }, &desk, &seats);
            }
            Err(error) => recover(&error, &desk, &seats).await,
        }
    }
}

async fn accept_tcp(socket: TcpListener, desk: Rc<Desk>, seats: Rc<Seats>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                // An answer is one write and should go at once; a peer that vanished should not keep its seat for
                // ever. Where the kernel refuses, both are only slower.
                let _ = stream.set_nodelay(true);
                let _ = sockopt::set_socket_keepalive(&stream, true);
                let ends = Ends { peer: Some(peer), process: None };
                receive(stream, ends, &desk, &seats);
            }
            Err(error) => recover(&error, &desk, &seats).await,
        }
    }
}

/// A connection that could not be taken. Most likely there are no descriptors left: one of ours may go.
async fn recover(error: &std::io::Error, desk: &Desk, seats: &Seats) {
    desk.journal.log(Level::Error, &format!("cannot accept a connection for {}: {error}", desk.section));
    seats.make_room();
    sleep(BREATH).await;
}

fn receive<S>(stream: S, ends: Ends, desk: &Rc<Desk>, seats: &Rc<Seats>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    match seats.take() {
        Some(seat) => drop(spawn_local(converse(stream, ends, Rc::clone(desk), seat))),
        None => drop(spawn_local(turn_away(stream))),
    }
}

async fn turn_away<S: AsyncWrite + Unpin>(mut stream: S) {
    // The socket's buffer is empty: this is either written at once or not at all.
    let _ = tokio::time::timeout(BREATH, stream.write_all(full_house().as_bytes())).await;
}

/// One connection, until its client goes or it is asked to leave. What goes wrong on it concerns nobody else.
async fn converse<S>(stream: S, ends: Ends, desk: Rc<Desk>, seat: Seat)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let pulse = Rc::clone(&seat.pulse);
    let service = service_fn(|request: Request<Incoming>| {
        let (desk, pulse) = (Rc::clone(&desk), Rc::clone(&pulse));
        async move { desk.answer(request, ends, pulse).await }
    });
    let wire = Wire::new(stream, Rc::clone(&pulse));
    let limits = &pulse.limits;
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(limits.head)
            .max_headers(limits.headers)
            .title_case_headers(true)
            // Whoever has said all that he has to say may end his side, as nc does, and still read the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(wire.clone()), service)
    );
    loop {
        tokio::select! {
            biased;
            ended = &mut connection => {
                if let Err(error) = ended && error.is_parse() {
                    desk.journal.log(Level::Debug, &format!("[{}] cannot read a request: {error}", desk.section));
                }
                return farewell(&wire, &pulse).await;
            }
            () = wire.follower_gone() => break,
            how = pulse.asked_to_leave() => match how {
                Leave::Now => break,
                Leave::WhenAnswered => connection.as_mut().graceful_shutdown(),
            },
        }
    }
}

/// Waits a moment until a client has read its last answer and hangs up, or until somebody else needs its seat.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(wire: &Wire<S>, pulse: &Pulse) {
    pulse.enter(Phase::Refused);
    let limits = &pulse.limits;
    tokio::select! {
        biased;
        _ = pulse.asked_to_leave() => {}
        () = sleep(limits.refused_time) => {}
        () = wire.linger(limits.refused_body) => {}
    }
}

/// One connection over any stream: what the tests and the fuzzer talk to. `interfaces` and `limits` as for [`serve`].
/// Must be called within a `LocalSet`; ends with the connection.
pub async fn serve_stream<S>(
    stream: S,
    server: &ironlance_config::HttpServer,
    interfaces: &[String],
    owner: mpsc::Sender<Input>,
    journal: Rc<dyn Journal>,
    limits: Limits,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let interfaces = Interfaces::new(interfaces.to_vec());
    let seats = Rc::new(Seats::new(limits, Rc::clone(&journal)));
    let desk = Desk::new(server, super::rpc::Rights::All, interfaces, owner, journal, limits);
    if let Some(seat) = seats.take() {
        converse(stream, Ends::default(), Rc::new(desk), seat).await;
    }
}
