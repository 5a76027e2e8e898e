//! The listening socket that the processes of a FastCGI group share as stdin: [`FastCgiSocket`] (socket_manager.py,
//! datatypes.py of the original).

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use ironlance_config::{FcgiSocket, SocketAddress, SocketOwner};
use ironlance_core::log_level::Level;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with, sockopt,
};
use thiserror::Error;

use crate::files::unix_socket::{self, LiveSocket, PathTaken};

/// The default backlog; the kernel caps it anyway (SOMAXCONN).
const DEFAULT_BACKLOG: i32 = 4096;

/// A listening socket for children. The daemon itself does not accept on it.
#[derive(Debug)]
pub struct FastCgiSocket {
    fd: OwnedFd,
    /// Its file was removed: no client can connect any more.
    unlinked: Cell<bool>,
}

/// Why a socket cannot be opened.
#[derive(Debug, Error)]
pub enum FastCgiError {
    /// The host has no IPv4 address.
    #[error("cannot find the host of {url}: {why}")]
    Host {
        /// The socket.
        url: String,
        /// What the resolver says.
        why: String,
    },
    /// The address is in use or not ours, or the folder is missing.
    #[error("cannot bind {url}: {why}")]
    Bind {
        /// The socket.
        url: String,
        /// What the kernel says.
        why: io::Error,
    },
    /// `socket_owner` cannot be set, in the original's words.
    #[error("Could not change ownership of socket file: {0}")]
    Owner(io::Error),
}

impl FastCgiSocket {
    /// Binds and listens. What is at the path of a unix socket is removed first, which is logged, and the socket's
    /// file stays when it is closed: both as in the original, except that a file with content is renamed. `address` is
    /// the looked-up address of a TCP socket, or the reason why the lookup has failed: nothing is looked up here.
    pub fn open(
        socket: &FcgiSocket,
        address: Option<Result<SocketAddr, String>>,
        log: &mut dyn FnMut(Level, &str),
    ) -> Result<Self, FastCgiError> {
        let fd = match &socket.address {
            SocketAddress::Unix { path, owner, mode } => open_unix(&socket.url, path, *owner, *mode, log)?,
            SocketAddress::Tcp { .. } => open_tcp(&socket.url, address)?,
        };
        let backlog = socket.backlog.filter(|backlog| *backlog > 0);
        let backlog = backlog.map_or(DEFAULT_BACKLOG, |backlog| i32::try_from(backlog).unwrap_or(i32::MAX));
        listen(&fd, backlog).map_err(|why| bind_error(&socket.url, why))?;
        Ok(Self { fd, unlinked: Cell::new(false) })
    }

    /// Whether its file was removed. A process that starts now needs a new socket.
    pub fn is_unlinked(&self) -> bool {
        self.unlinked.get()
    }

    /// Notes that its file was removed.
    pub fn mark_unlinked(&self) {
        self.unlinked.set(true);
    }
}

impl AsFd for FastCgiSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn bind_error(url: &str, why: impl Into<io::Error>) -> FastCgiError {
    FastCgiError::Bind { url: url.to_owned(), why: why.into() }
}

fn open_tcp(url: &str, address: Option<Result<SocketAddr, String>>) -> Result<OwnedFd, FastCgiError> {
    let host_error = |why| FastCgiError::Host { url: url.to_owned(), why };
    let address = address.unwrap_or_else(|| Err("it was not looked up".to_owned())).map_err(host_error)?;
    let open = || {
        let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_reuseaddr(&fd, true)?;
        bind(&fd, &address)?;
        Ok(fd)
    };
    open().map_err(|why: rustix::io::Errno| bind_error(url, why))
}

fn open_unix(
    url: &str,
    path: &Path,
    owner: Option<SocketOwner>,
    mode: Option<u32>,
    log: &mut dyn FnMut(Level, &str),
) -> Result<OwnedFd, FastCgiError> {
    let mut open = || {
        let address = SocketAddrUnix::new(path)?;
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        unix_socket::clear_path(path, LiveSocket::Replace, log).map_err(|why| match why {
            PathTaken::Io(why) => why,
            PathTaken::InUse | PathTaken::NotReplaceable(_) => io::Error::other(why.to_string()),
        })?;
        unix_socket::bind_with_mode(&fd, &address, mode)?;
        Ok(fd)
    };
    let fd = open().map_err(|why: io::Error| bind_error(url, why))?;
    if let Some(SocketOwner { uid, gid }) = owner
        && let Err(why) = unix_socket::change_owner(path, (uid, gid))
    {
        // Nothing listens on it.
        let _ = std::fs::remove_file(path);
        return Err(FastCgiError::Owner(why));
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpStream;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn open(socket: &FcgiSocket) -> Result<FastCgiSocket, FastCgiError> {
        let address = match &socket.address {
            SocketAddress::Unix { .. } => None,
            SocketAddress::Tcp { port, .. } => Some(Ok(([127, 0, 0, 1], *port).into())),
        };
        FastCgiSocket::open(socket, address, &mut |_, _| {})
    }

    fn of_path(path: &Path, owner: Option<SocketOwner>, mode: Option<u32>) -> FcgiSocket {
        FcgiSocket {
            url: format!("unix://{}", path.display()),
            address: SocketAddress::Unix { path: path.to_owned(), owner, mode },
            backlog: Some(5),
        }
    }

    #[test]
    fn a_unix_socket_takes_the_place_of_an_old_one_and_has_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        fs::write(&path, "old").unwrap();
        for mode in [0o700, 0o777] {
            let socket = open(&of_path(&path, None, Some(mode))).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            UnixStream::connect(&path).unwrap();
            drop(socket);
            UnixStream::connect(&path).unwrap_err();
            assert!(path.exists());
        }
    }

    #[test]
    fn a_unix_socket_is_given_to_its_owner_by_root_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let owner = SocketOwner { uid: Some(1), gid: Some(2) };
        let opened = open(&of_path(&path, Some(owner), Some(0o700)));
        if nix::unistd::getuid().is_root() {
            opened.unwrap();
            let metadata = fs::metadata(&path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (1, 2));
        } else {
            let words = opened.unwrap_err().to_string();
            assert!(words.starts_with("Could not change ownership of socket file: "), "{words}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_tcp_socket_listens_and_its_address_is_taken_then() {
        let socket_at = |port| FcgiSocket {
            url: format!("tcp://localhost:{port}"),
            address: SocketAddress::Tcp { host: "localhost".to_owned(), port },
            backlog: None,
        };
        let socket = open(&socket_at(0)).unwrap();
        let address = rustix::net::getsockname(&socket.fd).unwrap();
        let address = SocketAddr::try_from(address).unwrap();
        TcpStream::connect(address).unwrap();
        let words = open(&socket_at(address.port())).unwrap_err().to_string();
        let url = format!("tcp://localhost:{}", address.port());
        assert_eq!(words, format!("cannot bind {url}: Address already in use (os error 98)"));
        drop(socket);
        open(&socket_at(address.port())).unwrap();
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error() {
        let words = open(&of_path(Path::new("/no/such/socket"), None, None)).unwrap_err().to_string();
        assert_eq!(words, "cannot bind unix:///no/such/socket: No such file or directory (os error 2)");
    }
}
