//! The sockets: unix and TCP, opened so that nobody gets in between, and removed only where they are still ours.

use std::fs;
use std::io;
use std::net::{self, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use ironlance_config::{Server, ServerAddress};
use ironlance_core::level::Level;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;

use super::Journal;
use super::rpc::Rights;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// So often a socket's name is tried to be taken while others try the same.
const ATTEMPTS: usize = 10;

/// Why a server cannot be opened, in the original's words where it has any; printed after `Error: `.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Somebody listens there.
    #[error(
        "Another program is already listening on a port that one of our HTTP servers is configured to use.  \
         Shut this program down first before starting supervisord."
    )]
    InUse,
    /// The socket cannot be given to whom it shall belong.
    #[error(
        "Not permitted to chown {path} to uid/gid ({uid}, {gid}); adjust \"sockchown\" value in config file or on \
         command line to values that the current user ({user}) can successfully chown"
    )]
    Chown {
        /// The socket.
        path: PathBuf,
        /// The user it should get; -1 for unchanged.
        uid: i64,
        /// The group it should get; -1 for unchanged.
        gid: i64,
        /// Who we are.
        user: String,
    },
    /// Something else than a socket is in the way. (The original removes it.)
    #[error("Cannot open an HTTP server: {0} is there already and is no socket")]
    InTheWay(PathBuf),
    /// The host's name leads nowhere.
    #[error("Cannot open an HTTP server: socket.error reported -2")]
    NoSuchHost,
    /// A socket's path is longer than the system takes.
    #[error("Cannot open an HTTP server: socket.error reported AF_UNIX path too long")]
    TooLong,
    /// The system refuses.
    #[error("Cannot open an HTTP server: socket.error reported {}", reported(.0))]
    Refused(io::Error),
}

impl OpenError {
    /// The same for a person, who is also told which server it is.
    fn reason(&self) -> String {
        match self {
            Self::InUse => "another program listens there".to_owned(),
            Self::Chown { uid, gid, .. } => format!("it cannot be given to uid {uid} and gid {gid}"),
            Self::InTheWay(_) => "something is there already and is no socket".to_owned(),
            Self::NoSuchHost => "there is no such host".to_owned(),
            Self::TooLong => "the path is too long for a socket".to_owned(),
            Self::Refused(error) => error.to_string(),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse { Self::InUse } else { Self::Refused(error) }
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        io::Error::from(errno).into()
    }
}

/// `errno.EACCES (13)`.
fn reported(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    format!("errno.{:?} ({number})", nix::errno::Errno::from_raw(number))
}

/// A server whose socket is open.
pub struct Listening {
    pub(super) server: Server,
    pub(super) socket: Socket,
    pub(super) rights: Rights,
    pub(super) name: Option<Name>,
}

impl Listening {
    /// The TCP port, where it is one.
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            Socket::Unix(_) => None,
            Socket::Tcp(socket) => socket.local_addr().ok().map(|address| address.port()),
        }
    }
}

/// An open socket, non-blocking and closed in children.
pub(super) enum Socket {
    Unix(unix::UnixListener),
    Tcp(net::TcpListener),
}

/// The name of a unix socket in its folder; removed with this where it still is our socket.
pub(super) struct Name {
    path: PathBuf,
    id: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.id) {
            // Nobody is there to be told when it cannot be removed; the next start takes it over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens all servers, in order, and logs what the original logs of them. No runtime is needed, so it can be done before
/// the daemon goes into the background; the process that stays in front must end without dropping the result, which
/// would remove the sockets.
///
/// # Errors
/// The first server that cannot be opened; those before it are closed again.
pub fn open(
    servers: &[Server],
    interfaces: &[String],
    journal: &dyn Journal,
) -> Result<Vec<Listening>, OpenError> {
    let open = |server| {
        open_one(server, interfaces, journal).inspect_err(|error| {
            // The original's words do not say which server it is.
            let (section, place) = (&server.section, place(&server.address));
            journal.log(Level::Error, &format!("[{section}] cannot listen at {place}: {}", error.reason()));
        })
    };
    servers.iter().map(open).collect()
}

fn place(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Unix { path, .. } => path.display().to_string(),
        ServerAddress::Tcp { host, port } => format!("{}:{port}", if host.is_empty() { "*" } else { host }),
    }
}

fn open_one(server: &Server, interfaces: &[String], journal: &dyn Journal) -> Result<Listening, OpenError> {
    let (socket, name, rights) = match &server.address {
        ServerAddress::Unix { path, mode, owner } => {
            let owner = owner.as_ref().map(|owner| (owner.uid, owner.gid));
            let (socket, name) = open_unix(path, *mode, owner.unwrap_or_default())?;
            (Socket::Unix(socket), Some(name), Rights::All)
        }
        ServerAddress::Tcp { host, port } => {
            let socket = open_tcp(host, *port)?;
            let exposed = !socket.local_addr()?.ip().is_loopback() && server.credentials.is_none();
            (Socket::Tcp(socket), None, if exposed { Rights::Reads } else { Rights::All })
        }
    };
    for interface in interfaces {
        journal.log(Level::Info, &format!("RPC interface '{interface}' initialized"));
    }
    if server.credentials.is_none() {
        let section = &server.section;
        let line = format!("Server '{section}' running without any HTTP authentication checking");
        journal.log(Level::Critical, &line);
    }
    if rights == Rights::Reads {
        journal.log(
            Level::Warn,
            &format!(
                "[{}] can be reached from other hosts and has no password: it only tells, and changes nothing; to \
                 open it, set username and password in it, or bind it to 127.0.0.1",
                server.section
            ),
        );
    }
    Ok(Listening { server: server.clone(), socket, rights, name })
}

fn open_tcp(host: &str, port: u16) -> Result<net::TcpListener, OpenError> {
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    // `[::1]:9001`, as in a URL.
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.filter(|host| host.contains(':')).unwrap_or(host);
    let found: Vec<_> = (host, port).to_socket_addrs().map_err(|_| OpenError::NoSuchHost)?.collect();
    // As the original, IPv4 where there is a choice.
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    let address = address.ok_or(OpenError::NoSuchHost)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = new_socket(family)?;
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

type Ids = (Option<u32>, Option<u32>);

/// Binds to a name of our own, gives it its permissions and owner, listens, and only then takes the name that clients
/// know: there is no moment at which it is open wider, or at which it is there and does not answer.
fn open_unix(path: &Path, mode: u32, owner: Ids) -> Result<(unix::UnixListener, Name), OpenError> {
    let mut own_name = path.as_os_str().to_owned();
    own_name.push(format!(".{}", std::process::id()));
    let own_name = Temporary(PathBuf::from(own_name));
    let _ = fs::remove_file(&own_name.0);
    let address = SocketAddrUnix::new(&own_name.0).map_err(|errno| match errno {
        Errno::NAMETOOLONG => OpenError::TooLong,
        other => other.into(),
    })?;
    let socket = new_socket(AddressFamily::UNIX)?;
    rustix::net::bind(&socket, &address)?;
    rustix::fs::chmod(&own_name.0, Mode::from_raw_mode(mode))?;
    give(&own_name.0, path, owner)?;
    rustix::net::listen(&socket, BACKLOG)?;
    take_name(&own_name.0, path)?;
    let now = fs::symlink_metadata(path)?;
    let name = Name { path: path.to_owned(), id: (now.dev(), now.ino()) };
    Ok((socket.into(), name))
}

/// A name that is removed in the end, whatever happens.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn give(own_name: &Path, path: &Path, (uid, gid): Ids) -> Result<(), OpenError> {
    let Err(error) = std::os::unix::fs::lchown(own_name, uid, gid) else { return Ok(()) };
    if error.raw_os_error() != Some(Errno::PERM.raw_os_error()) {
        return Err(OpenError::Refused(error));
    }
    let id = |id: Option<u32>| id.map_or(-1, i64::from);
    let me = nix::unistd::geteuid();
    let user =
        nix::unistd::User::from_uid(me).ok().flatten().map_or_else(|| me.to_string(), |user| user.name);
    Err(OpenError::Chown { path: path.to_owned(), uid: id(uid), gid: id(gid), user })
}

/// Gives the socket the name that clients know. A socket that nobody listens on any more is taken over.
fn take_name(own_name: &Path, path: &Path) -> Result<(), OpenError> {
    for _ in 0..ATTEMPTS {
        match fs::hard_link(own_name, path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // A file system without hard links.
            Err(_) if !path.exists() => return Ok(fs::rename(own_name, path)?),
            Err(error) => return Err(error.into()),
        }
        match occupant(path) {
            Occupant::Nobody => {
                eprintln!("Unlinking stale socket {}", path.display());
                if let Err(error) = fs::remove_file(path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(OpenError::Refused(error));
                }
            }
            Occupant::Gone => {}
            Occupant::Somebody => return Err(OpenError::InUse),
            Occupant::Thing => return Err(OpenError::InTheWay(path.to_owned())),
        }
    }
    Err(OpenError::InUse)
}

/// What stands at the name.
enum Occupant {
    /// A socket that nobody listens on.
    Nobody,
    /// A socket that is listened on, or may be.
    Somebody,
    /// No socket.
    Thing,
    /// Nothing any more.
    Gone,
}

fn occupant(path: &Path) -> Occupant {
    let Ok(found) = fs::symlink_metadata(path) else { return Occupant::Gone };
    if !found.file_type().is_socket() {
        return Occupant::Thing;
    }
    let asked = SocketAddrUnix::new(path)
        .and_then(|address| rustix::net::connect(&new_socket(AddressFamily::UNIX)?, &address));
    match asked {
        Err(Errno::CONNREFUSED) => Occupant::Nobody,
        Err(Errno::NOENT) => Occupant::Gone,
        // A full queue is somebody too, and so is one that we may not ask.
        _ => Occupant::Somebody,
    }
}

#[cfg(test)]
mod tests;
