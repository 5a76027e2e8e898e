//! Lines to the system's log: [`Syslog`] sends them as Python's `syslog.syslog` does by default, facility user, level
//! info.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use ironlance_host::local_time::LocalClock;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

/// The socket of the system's log.
const SOCKET: &str = "/dev/log";
/// `LOG_USER | LOG_INFO`.
const PRIORITY: u8 = 14;
/// The interval at which a log that cannot be reached is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// A connection to the system's log. It is made by the first write, and again after an error. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Syslog(Rc<RefCell<Client>>);

#[derive(Debug)]
struct Client {
    socket: PathBuf,
    ident: String,
    clock: LocalClock,
    connection: Option<Connection>,
    retry_at: Option<Instant>,
    line: Vec<u8>,
}

#[derive(Debug)]
enum Connection {
    Datagram(UnixDatagram),
    Stream(UnixStream),
}

impl Syslog {
    /// `ident` is the program's name in the lines.
    pub(crate) fn open(ident: &str) -> Self {
        Self::at(Path::new(SOCKET), ident)
    }

    pub(super) fn at(socket: &Path, ident: &str) -> Self {
        Self(Rc::new(RefCell::new(Client {
            socket: socket.to_owned(),
            ident: ident.to_owned(),
            clock: LocalClock::new(),
            connection: None,
            retry_at: None,
            line: Vec::new(),
        })))
    }

    /// Sends a message line by line without the newlines at its end, each line between `prefix` and `suffix`. Lines
    /// that are not taken at once are lost; the error is the first one.
    pub(crate) fn write(&self, prefix: &str, message: &[u8], suffix: &str) -> io::Result<()> {
        let end = message.iter().rposition(|byte| *byte != b'\n').map_or(0, |place| place + 1);
        let mut way = self.0.borrow_mut();
        let mut outcome = Ok(());
        for line in message[..end].split(|byte| *byte == b'\n') {
            outcome = outcome.and(way.send(&[prefix.as_bytes(), line, suffix.as_bytes()]));
        }
        outcome
    }
}

impl Client {
    fn send(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        self.line.clear();
        let time = self.clock.local(SystemTime::now());
        let time = time.strftime("%b %e %H:%M:%S");
        write!(self.line, "<{PRIORITY}>{time} {}: ", self.ident)?;
        pieces.iter().for_each(|piece| self.line.extend_from_slice(piece));
        // A restart of the system's log closes an existing connection.
        let known = self.connection.is_some();
        match self.try_send() {
            Err(why) if known && why.kind() != io::ErrorKind::WouldBlock => self.try_send(),
            outcome => outcome,
        }
    }

    fn try_send(&mut self) -> io::Result<()> {
        let sent = match self.connected()? {
            (Connection::Datagram(socket), line) => socket.send(line).map(drop),
            (Connection::Stream(socket), line) => {
                // In a stream a zero byte ends a line (glibc's syslog(3)).
                line.push(0);
                let sent = socket.write_all(line);
                line.pop();
                sent
            }
        };
        // A part of a line would spoil the next one in a stream.
        let stays = matches!(self.connection, Some(Connection::Datagram(_)));
        if sent.as_ref().is_err_and(|why| !(stays && why.kind() == io::ErrorKind::WouldBlock)) {
            self.connection = None;
        }
        sent
    }

    fn connected(&mut self) -> io::Result<(&mut Connection, &mut Vec<u8>)> {
        if self.connection.is_none() {
            if self.retry_at.is_some_and(|again| Instant::now() < again) {
                return Err(io::ErrorKind::NotConnected.into());
            }
            let connected = connect(&self.socket);
            self.retry_at = connected.is_err().then(|| Instant::now() + RETRY_INTERVAL);
            self.connection = Some(connected?);
        }
        let connection = self.connection.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        Ok((connection, &mut self.line))
    }
}

fn connect(socket: &Path) -> io::Result<Connection> {
    let datagram = UnixDatagram::unbound()?;
    datagram.set_nonblocking(true)?;
    if datagram.connect(socket).is_ok() {
        return Ok(Connection::Datagram(datagram));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&stream, &SocketAddrUnix::new(socket)?)?;
    Ok(Connection::Stream(stream.into()))
}

#[cfg(test)]
mod tests;
