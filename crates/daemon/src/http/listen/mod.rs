//! Opens the server sockets, unix and TCP: [`open`] gives a [`BoundServer`] for each. A unix socket appears at its path
//! with its final permissions, and is removed only while it is ours.

use std::fs;
use std::io;
use std::net::{self, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ironlance_config::{HttpServer, ServerAddress};
use ironlance_core::log_level::Level;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use thiserror::Error;

use super::DaemonLog;
use super::access::Access;
use crate::files::unix_socket::{self, LiveSocket, OwnerIds, PathTaken};

/// The backlog of listen(2).
const BACKLOG: i32 = 1024;
/// Attempts to publish a socket at its path while other processes do the same.
const ATTEMPTS: usize = 10;

/// Why a server cannot be opened, in the original's words if it has any; printed after `Error: `.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process listens at the address.
    #[error(
        "Another program is already listening on a port that one of our HTTP servers is configured to use.  \
         Shut this program down first before starting supervisord."
    )]
    InUse,
    /// The owner of the socket cannot be changed.
    #[error(
        "Not permitted to chown {path} to uid/gid ({uid}, {gid}); adjust \"sockchown\" value in config file or on \
         command line to values that the current user ({user}) can successfully chown"
    )]
    Chown {
        /// The socket.
        path: PathBuf,
        /// The requested user; -1 for unchanged.
        uid: i64,
        /// The requested group; -1 for unchanged.
        gid: i64,
        /// The effective user of the daemon.
        user: String,
    },
    /// A folder or a device is at the path.
    #[error("Cannot open an HTTP server: {0} is there already and is a folder or a device")]
    InTheWay(PathBuf),
    /// The host name cannot be resolved.
    #[error("Cannot open an HTTP server: socket.error reported -2")]
    NoSuchHost,
    /// The path is too long for a socket address.
    #[error("Cannot open an HTTP server: socket.error reported AF_UNIX path too long")]
    TooLong,
    /// Another error of the system.
    #[error("Cannot open an HTTP server: socket.error reported {}", errno_text(.0))]
    Refused(io::Error),
}

impl OpenError {
    /// The same in plain words, for a log line that names the server.
    fn reason(&self) -> String {
        match self {
            Self::InUse => "another program listens there".to_owned(),
            Self::Chown { uid, gid, .. } => format!("it cannot be given to uid {uid} and gid {gid}"),
            Self::InTheWay(_) => "a folder or a device is there already".to_owned(),
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

impl From<PathTaken> for OpenError {
    fn from(why: PathTaken) -> Self {
        match why {
            PathTaken::InUse => Self::InUse,
            PathTaken::NotReplaceable(path) => Self::InTheWay(path),
            PathTaken::Io(error) => error.into(),
        }
    }
}

/// `errno.EACCES (13)`.
fn errno_text(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return error.to_string() };
    format!("errno.{:?} ({number})", nix::errno::Errno::from_raw(number))
}

/// A server whose socket is open.
pub struct BoundServer {
    pub(super) server: HttpServer,
    pub(super) socket: ListeningSocket,
    pub(super) access: Access,
    pub(super) socket_file: Option<Rc<SocketFile>>,
    /// The socket still has a temporary name, and is to replace the socket of the previous generation at this path.
    path_takeover: Option<PathTakeover>,
}

struct PathTakeover {
    temporary: TemporaryPath,
    path: PathBuf,
    current: Rc<SocketFile>,
}

impl BoundServer {
    /// The TCP port, if it is one.
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            ListeningSocket::Unix(_) => None,
            ListeningSocket::Tcp(socket) => socket.local_addr().ok().map(|address| address.port()),
        }
    }

    /// A duplicate of the socket, for the next generation of the daemon. The error is that of dup(2).
    pub fn duplicate(&self) -> io::Result<InheritedSocket> {
        let socket = self.socket.try_clone()?;
        Ok(InheritedSocket {
            address: self.server.address.clone(),
            socket,
            socket_file: self.socket_file.clone(),
        })
    }

    /// The configuration section of the server.
    pub fn section(&self) -> &str {
        &self.server.section
    }

    /// Logs what the original logs when a server is opened.
    pub fn log_opened(&self, interfaces: &[String], daemon_log: &dyn DaemonLog) {
        for interface in interfaces {
            daemon_log.log(Level::Info, &format!("RPC interface '{interface}' initialized"));
        }
        let section = &self.server.section;
        if self.server.credentials.is_none() {
            let line = format!("Server '{section}' running without any HTTP authentication checking");
            daemon_log.log(Level::Critical, &line);
        }
        match self.access {
            Access::ReadOnly => daemon_log.log(
                Level::Warn,
                &format!(
                    "[{section}] can be reached from other hosts and has no password: it is read-only; to \
                     open it, set username and password in it, or bind it to 127.0.0.1; if everybody who \
                     reaches it may do everything, set allow_anonymous_changes=true"
                ),
            ),
            Access::Full if self.server.allow_anonymous_changes && self.server.credentials.is_none() => daemon_log.log(
                Level::Warn,
                &format!("[{section}] has allow_anonymous_changes=true: everybody who reaches it can stop and start programs"),
            ),
            Access::Full => {}
        }
    }

    /// Moves the socket to its path, where the previous generation's socket is, if that is still to be done. The path
    /// always leads to a socket that is listened on.
    pub fn take_over_path(&mut self, daemon_log: &dyn DaemonLog) {
        let Some(PathTakeover { temporary: own_name, path, current: from }) = self.path_takeover.take()
        else {
            return;
        };
        let taken = if from.exists() {
            fs::rename(&own_name.0, &path).map_err(OpenError::from)
        } else {
            publish(&own_name.0, &path, daemon_log)
        };
        match taken.and_then(|()| Ok(SocketFile::at(&path)?)) {
            Ok(name) => self.socket_file = Some(name),
            Err(error) => {
                let line = format!(
                    "[{}] cannot listen at {}: {}",
                    self.server.section,
                    path.display(),
                    error.reason()
                );
                daemon_log.log(Level::Error, &line);
            }
        }
    }
}

/// A socket that is kept across a restart of the daemon.
#[derive(Debug)]
pub struct InheritedSocket {
    address: ServerAddress,
    socket: ListeningSocket,
    socket_file: Option<Rc<SocketFile>>,
}

impl InheritedSocket {
    /// The path of a unix socket.
    pub fn path(&self) -> Option<&Path> {
        match &self.address {
            ServerAddress::Unix { path, .. } => Some(path),
            ServerAddress::Tcp { .. } => None,
        }
    }
}

/// An open socket, non-blocking and close-on-exec.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Unix(unix::UnixListener),
    Tcp(net::TcpListener),
}

impl ListeningSocket {
    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
        }
    }
}

/// The file of a unix socket. When it is dropped it is removed, if it is still the same socket.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    /// The file that is at the path now.
    fn at(path: &Path) -> io::Result<Rc<Self>> {
        let now = fs::symlink_metadata(path)?;
        Ok(Rc::new(Self { path: path.to_owned(), id: (now.dev(), now.ino()) }))
    }

    fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.id)
    }

    /// Whether `path` leads to this socket: /var/run may be a link to /run.
    fn is_linked_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == self.id)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.exists() {
            // An error cannot be reported here; the next start replaces the stale socket.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Opens all servers, in order. It needs no runtime and can be done before the daemon goes into the background; the
/// foreground process must exit without dropping the result, which would remove the sockets.
///
/// `kept` are sockets of the previous generation: a server at the same address uses the same socket again, so no client
/// is refused meanwhile.
///
/// # Errors
/// The first server that cannot be opened; those before it are closed again.
pub fn open(
    servers: &[HttpServer],
    kept: &[InheritedSocket],
    daemon_log: &dyn DaemonLog,
) -> Result<Vec<BoundServer>, OpenError> {
    let open = |server| {
        open_one(server, kept, daemon_log).inspect_err(|error| {
            // The original's words do not name the server.
            let (section, place) = (&server.section, display_address(&server.address));
            daemon_log
                .log(Level::Error, &format!("[{section}] cannot listen at {place}: {}", error.reason()));
        })
    };
    servers.iter().map(open).collect()
}

fn display_address(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Unix { path, .. } => path.display().to_string(),
        ServerAddress::Tcp { host, port } => format!("{}:{port}", if host.is_empty() { "*" } else { host }),
    }
}

fn open_one(
    server: &HttpServer,
    kept: &[InheritedSocket],
    daemon_log: &dyn DaemonLog,
) -> Result<BoundServer, OpenError> {
    let (mut name, mut takes_over) = (None, None);
    let same = kept.iter().find(|kept| kept.address == server.address);
    let socket = match (&server.address, same) {
        (_, Some(kept)) => {
            name.clone_from(&kept.socket_file);
            kept.socket.try_clone()?
        }
        (ServerAddress::Unix { path, mode, owner }, None) => {
            let owner = owner.as_ref().map(|owner| (owner.uid, owner.gid)).unwrap_or_default();
            let (socket, own_name) = bind_unix(path, *mode, owner)?;
            let ours = kept.iter().filter_map(|kept| kept.socket_file.as_ref());
            match ours.filter(|name| name.exists()).find(|name| name.is_linked_at(path)) {
                Some(from) => {
                    takes_over =
                        Some(PathTakeover { temporary: own_name, path: path.clone(), current: from.clone() });
                }
                None => {
                    publish(&own_name.0, path, daemon_log)?;
                    name = Some(SocketFile::at(path)?);
                }
            }
            ListeningSocket::Unix(socket.into())
        }
        (ServerAddress::Tcp { host, port }, None) => ListeningSocket::Tcp(open_tcp(host, *port, kept)?),
    };
    let address = match &socket {
        ListeningSocket::Tcp(socket) => Some(socket.local_addr()?.ip()),
        ListeningSocket::Unix(_) => None,
    };
    let access = Access::of_server(server, address);
    Ok(BoundServer { server: server.clone(), socket, access, socket_file: name, path_takeover: takes_over })
}

fn open_tcp(host: &str, port: u16, kept: &[InheritedSocket]) -> Result<net::TcpListener, OpenError> {
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    // `[::1]:9001`, as in a URL.
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.filter(|host| host.contains(':')).unwrap_or(host);
    let found: Vec<_> = (host, port).to_socket_addrs().map_err(|_| OpenError::NoSuchHost)?.collect();
    // As in the original, IPv4 if there is a choice.
    let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
    let address = address.ok_or(OpenError::NoSuchHost)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = new_socket(family)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    let shared = PortSharing::with(&socket, kept)?;
    rustix::net::bind(&socket, address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    drop(shared);
    Ok(socket.into())
}

fn new_socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(family, SocketType::STREAM, flags, None)
}

/// While it is alive, a new socket may share the port of one of ours that is about to be closed: `*:9001` becomes
/// `127.0.0.1:9001`. A port of another process stays taken.
struct PortSharing<'a>(Vec<BorrowedFd<'a>>);

impl<'a> PortSharing<'a> {
    fn with(new: &'a OwnedFd, kept: &'a [InheritedSocket]) -> Result<Self, Errno> {
        let ours = kept.iter().filter_map(|kept| match &kept.socket {
            ListeningSocket::Tcp(socket) => Some(socket.as_fd()),
            ListeningSocket::Unix(_) => None,
        });
        let ours: Vec<_> = ours.collect();
        let all = if ours.is_empty() { ours } else { ours.into_iter().chain([new.as_fd()]).collect() };
        for socket in &all {
            sockopt::set_socket_reuseport(socket, true)?;
        }
        Ok(Self(all))
    }
}

impl Drop for PortSharing<'_> {
    fn drop(&mut self) {
        for socket in &self.0 {
            // If setting the option succeeded, so does resetting it.
            let _ = sockopt::set_socket_reuseport(socket, false);
        }
    }
}

/// Binds to a temporary name, with the final permissions and owner, and listens. The socket is moved to its path after
/// that, so it is never open wider there, nor without a listener.
fn bind_unix(path: &Path, mode: u32, owner: OwnerIds) -> Result<(OwnedFd, TemporaryPath), OpenError> {
    let too_long = |errno| match errno {
        Errno::NAMETOOLONG => OpenError::TooLong,
        other => other.into(),
    };
    for attempt in 0..ATTEMPTS {
        let mut own_name = path.as_os_str().to_owned();
        own_name.push(format!(".{}", std::process::id()));
        if attempt > 0 {
            own_name.push(format!("-{attempt}"));
        }
        let address = SocketAddrUnix::new(&own_name).map_err(too_long)?;
        let socket = new_socket(AddressFamily::UNIX)?;
        match unix_socket::bind_with_mode(&socket, &address, Some(mode)) {
            Ok(()) => {}
            // Left by a process that had our pid, or put there by another: not ours to remove.
            Err(Errno::ADDRINUSE) => continue,
            Err(errno) => return Err(errno.into()),
        }
        let own_name = TemporaryPath(own_name.into());
        set_owner(&own_name.0, path, owner)?;
        rustix::net::listen(&socket, BACKLOG)?;
        return Ok((socket, own_name));
    }
    Err(OpenError::Refused(Errno::EXIST.into()))
}

/// A path that is removed when dropped.
struct TemporaryPath(PathBuf);

impl Drop for TemporaryPath {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn set_owner(own_name: &Path, path: &Path, owner: OwnerIds) -> Result<(), OpenError> {
    let Err(error) = unix_socket::change_owner(own_name, owner) else { return Ok(()) };
    if error.raw_os_error() != Some(Errno::PERM.raw_os_error()) {
        return Err(OpenError::Refused(error));
    }
    let id = |id: Option<u32>| id.map_or(-1, i64::from);
    let me = nix::unistd::geteuid();
    let user =
        nix::unistd::User::from_uid(me).ok().flatten().map_or_else(|| me.to_string(), |user| user.name);
    Err(OpenError::Chown { path: path.to_owned(), uid: id(owner.0), gid: id(owner.1), user })
}

/// Links the socket to its path, after removing a stale socket there.
fn publish(own_name: &Path, path: &Path, daemon_log: &dyn DaemonLog) -> Result<(), OpenError> {
    for _ in 0..ATTEMPTS {
        match fs::hard_link(own_name, path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The file system has no hard links.
            Err(_) if fs::symlink_metadata(path).is_err() => return Ok(fs::rename(own_name, path)?),
            Err(error) => return Err(error.into()),
        }
        let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        if unix_socket::clear_path(path, LiveSocket::Keep, &mut |level, line| daemon_log.log(level, line))?
            && is_socket
        {
            eprintln!("Unlinking stale socket {}", path.display());
        }
    }
    Err(OpenError::InUse)
}

#[cfg(test)]
mod tests;
