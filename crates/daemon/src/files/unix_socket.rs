//! Binding a unix socket to a path where something may exist: [`clear_path`], [`bind_with_mode`], [`change_owner`].
//! Nothing but our own socket is ever changed.
//!
//! The owner of the folder can replace any name in it at any moment. So the umask sets the permissions during bind(2),
//! and the owner is changed through a descriptor that was checked to be the socket; no path is used.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ironlance_core::log_level::Level;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Uid, chownat, fstat, open, renameat_with,
};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with};
use rustix::process::umask;
use thiserror::Error;

use crate::files::ignore_missing;
use crate::files::safe_open::fs_uid;

/// Names that are tried for a file that is kept.
const MAX_KEPT_NAMES: u32 = 1000;
/// All permissions that a socket can have.
const ALL_PERMISSIONS: u32 = 0o777;

/// User and group; none stays as it is.
pub(crate) type OwnerIds = (Option<u32>, Option<u32>);

/// Why a path cannot be used.
#[derive(Debug, Error)]
pub(crate) enum PathTaken {
    /// Another process listens there.
    #[error("another program listens there")]
    InUse,
    /// A folder or a device.
    #[error("{} is there already and is a folder or a device", .0.display())]
    NotReplaceable(PathBuf),
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What to do with a socket on which a process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LiveSocket {
    /// It is another daemon's: refuse the path.
    Keep,
    /// It was left to children by an earlier run: replace it.
    Replace,
}

/// Binds a socket to a free path. Its permissions are `mode` from the first moment, or as the umask has it. The umask
/// belongs to the whole process: binds wait for each other, and no other thread may create files meanwhile.
pub(crate) fn bind_with_mode(
    socket: &OwnedFd,
    address: &SocketAddrUnix,
    mode: Option<u32>,
) -> Result<(), Errno> {
    static UMASK: Mutex<()> = Mutex::new(());
    let _only_one = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mode) = mode else { return bind(socket, address) };
    let before = umask(Mode::from_raw_mode(!mode & ALL_PERMISSIONS));
    let bound = bind(socket, address);
    umask(before);
    bound
}

/// Changes the owner of a socket that we have bound to `path`.
///
/// # Errors
/// Those of chown(2); or the socket was replaced by something else.
pub(crate) fn change_owner(path: &Path, (uid, gid): OwnerIds) -> io::Result<()> {
    if (uid, gid) == (None, None) {
        return Ok(());
    }
    let found = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&found)?;
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    // A second link may be to the socket of another user.
    if !is_socket || stat.st_uid != fs_uid() || stat.st_nlink != 1 {
        return Err(io::Error::other("something else has taken the socket's place"));
    }
    let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
    Ok(chownat(&found, "", uid, gid, AtFlags::EMPTY_PATH)?)
}

/// Removes what is at `path`: a socket on which no process listens, a FIFO, a link or an empty file; a file with
/// content is renamed. Logs what was done. Gives whether something was there.
pub(crate) fn clear_path(
    path: &Path,
    live: LiveSocket,
    log: &mut dyn FnMut(Level, &str),
) -> Result<bool, PathTaken> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(false) };
    let kind = found.file_type();
    let what = if kind.is_socket() {
        if live == LiveSocket::Keep && has_listener(path) {
            return Err(PathTaken::InUse);
        }
        "a socket on which no process listens"
    } else if kind.is_symlink() {
        // A link that another user may have put there is removed without a look at its target.
        let to_socket = fs::metadata(path).is_ok_and(|target| target.file_type().is_socket());
        let ours = [0, fs_uid()].contains(&found.uid());
        if live == LiveSocket::Keep && ours && to_socket && has_listener(path) {
            return Err(PathTaken::InUse);
        }
        "a symbolic link"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_file() && found.len() == 0 {
        "an empty file"
    } else if kind.is_file() {
        let kept = move_aside(path)?;
        let line = format!(
            "{} was a file with content: it was renamed to {}, and the socket takes its place",
            path.display(),
            kept.display()
        );
        log(Level::Warn, &line);
        return Ok(true);
    } else {
        return Err(PathTaken::NotReplaceable(path.to_owned()));
    };
    ignore_missing(fs::remove_file(path))?;
    if !kind.is_socket() {
        log(Level::Warn, &format!("{} was {what}: the socket takes its place", path.display()));
    }
    Ok(true)
}

/// Renames a file to `NAME.kept-N` with the first N that is free; returns the new name.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..=MAX_KEPT_NAMES {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".kept-{number}"));
        let kept = PathBuf::from(name);
        match renameat_with(CWD, path, CWD, &kept, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(kept),
            Err(Errno::EXIST) => {}
            // The file system does not support RENAME_NOREPLACE.
            Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(&kept).is_err() => {
                fs::rename(path, &kept)?;
                return Ok(kept);
            }
            Err(Errno::INVAL | Errno::NOSYS) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Whether a process listens, or may: a full queue and a refused permission count too.
fn has_listener(path: &Path) -> bool {
    let asked = SocketAddrUnix::new(path).and_then(|address| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        connect(&socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?, &address)
    });
    !matches!(asked, Err(Errno::CONNREFUSED | Errno::NOENT))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn room(path: &Path, live: LiveSocket) -> (Result<bool, PathTaken>, Vec<String>) {
        let mut lines = Vec::new();
        let made = clear_path(path, live, &mut |_, line| lines.push(line.to_owned()));
        (made, lines)
    }

    #[test]
    fn a_file_with_content_is_renamed_and_this_is_logged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        fs::write(folder.path().join("sock.kept-1"), "an earlier one").unwrap();
        fs::write(&path, "precious").unwrap();
        let (made, lines) = room(&path, LiveSocket::Keep);
        assert!(made.unwrap() && !path.exists());
        let kept = folder.path().join("sock.kept-2");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "precious");
        assert!(lines[0].contains(&format!("renamed to {}", kept.display())), "{lines:?}");
    }

    #[test]
    fn links_are_removed_and_their_targets_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("data"), "data").unwrap();
        fs::create_dir(at("folder")).unwrap();
        for target in ["data", "folder", "nothing", "/dev/null"] {
            symlink(target, at("sock")).unwrap();
            let (made, lines) = room(&at("sock"), LiveSocket::Keep);
            assert!(made.unwrap() && fs::symlink_metadata(at("sock")).is_err(), "{target}");
            assert_eq!(
                lines,
                [format!("{} was a symbolic link: the socket takes its place", at("sock").display())]
            );
        }
        assert_eq!(fs::read_to_string(at("data")).unwrap(), "data");
        assert!(at("folder").is_dir());
        let live = UnixListener::bind(at("live")).unwrap();
        symlink("live", at("sock")).unwrap();
        assert!(matches!(room(&at("sock"), LiveSocket::Keep).0, Err(PathTaken::InUse)));
        assert!(room(&at("sock"), LiveSocket::Replace).0.unwrap());
        drop(live);
    }

    #[test]
    fn folders_and_devices_stay() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/null")] {
            for live in [LiveSocket::Keep, LiveSocket::Replace] {
                assert!(
                    matches!(room(path, live).0, Err(PathTaken::NotReplaceable(_))),
                    "{}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn only_the_socket_changes_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let me = (Some(fs_uid()), None);
        fs::write(at("file"), "").unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink("socket", at("link")).unwrap();
        for other in ["file", "link"] {
            change_owner(&at(other), me).unwrap_err();
        }
        change_owner(&at("socket"), me).unwrap();
        fs::hard_link(at("socket"), at("second")).unwrap();
        change_owner(&at("socket"), me).unwrap_err();
        change_owner(&at("missing"), (None, None)).unwrap();
    }
}
