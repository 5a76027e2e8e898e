//! Opening a file by path without following symbolic links that another user has planted: [`open`], for every file
//! that is named by a configuration.
//!
//! A daemon that runs as root must not write to a file of root, or show what is in it, because a user has put a
//! symbolic link where the log or the pidfile belongs. `fs.protected_symlinks` prevents this for sticky folders that
//! all may write to; here it holds without that setting too, and for folders of one user:
//!
//! ```text
//! who made the link                           followed
//! ──────────────────────────────────────────  ──────────────────────────────────────────────────────────────
//! root, or our own user                       yes
//! another user, in a folder that is sticky    no, unless the folder is theirs; then as below
//!   or that all may write to
//! another user, in another folder             we are not root: yes
//!                                             we are root: to a file of theirs, or that all may open in this way
//! any user, anywhere                          for writing: to /dev/null, and to the file that is our stdout or stderr
//! ```
//!
//! The last row is for containers: a link to /dev/stdout that `chown -R` has given away with the folder of the logs.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, setfsuid};
use rustix::fs::{
    CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstat, fstatfs, makedev, open as open_following,
    openat, readlinkat,
};
use rustix::io::Errno;
use thiserror::Error;

/// The longest chain of links, as in the kernel.
pub(crate) const MAX_LINKS: usize = 40;
const WRITE_BY_OTHERS: u32 = 0o002;
const READ_BY_OTHERS: u32 = 0o004;
const STICKY: u32 = 0o1000;

/// A link that is not followed.
#[derive(Debug, Error)]
#[error(
    "not followed: {} is a symbolic link that user {owner} has made (it is followed when it is root's: chown -h root)",
    path.display()
)]
struct UntrustedLink {
    path: PathBuf,
    owner: u32,
}

/// Opens the file at `path` as open(2) does, but follows only links that can be trusted.
///
/// # Errors
/// Those of open(2). A link that is not followed is EACCES in words that name the user who made it.
pub(crate) fn open(path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    match open_following(path, flags | OFlags::NOFOLLOW, mode) {
        // The kernel gives EACCES for a link in a sticky folder where a file might be created.
        Err(Errno::LOOP | Errno::ACCESS) if path.is_symlink() => {
            open_through_links(path, flags, mode, fs_uid())
        }
        other => Ok(other?),
    }
}

/// The uid with which this thread opens files.
pub(crate) fn fs_uid() -> u32 {
    // This user does not exist, so nothing changes; the result is the uid of before.
    setfsuid(Uid::from_raw(u32::MAX)).as_raw()
}

/// Opens a file to read it. Does not wait for the writer of a FIFO.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    open(path, flags, Mode::empty()).map(File::from)
}

/// Opens a regular file to read it. Other files have no offsets, and a FIFO could block.
pub(crate) fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let file = open_to_read(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// Follows link after link; `us` is the uid with which we open files.
fn open_through_links(path: &Path, flags: OFlags, mode: Mode, us: u32) -> io::Result<OwnedFd> {
    let (mut folder, mut name) = folder_and_name(CWD, path)?;
    let mut trail = LinkTrail { path, trust: Trust::Trusted, link_owner: us };
    for _ in 0..MAX_LINKS {
        if fstatfs(&folder)?.f_type == PROC_SUPER_MAGIC {
            // The targets of links in /proc are not paths, so the kernel has to follow them.
            return match trail.trust {
                Trust::Trusted => Ok(openat(&folder, &*name, flags, mode)?),
                Trust::OwnFilesOnly | Trust::HarmlessOnly => trail.open(&folder, &name, flags, true),
            };
        }
        let link =
            match openat(&folder, &*name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::NOENT) => return trail.create(&folder, &name, flags, mode),
                Err(why) => return Err(why.into()),
            };
        let found = fstat(&link)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            return match trail.trust {
                Trust::Trusted => Ok(openat(&folder, &*name, flags | OFlags::NOFOLLOW, mode)?),
                Trust::OwnFilesOnly | Trust::HarmlessOnly => trail.open(&folder, &name, flags, false),
            };
        }
        trail.add(trust_of(found.st_uid, &fstat(&folder)?, us), found.st_uid);
        let target = readlinkat(&link, "", Vec::new())?;
        (folder, name) = folder_and_name(&folder, Path::new(OsStr::from_bytes(target.to_bytes())))?;
    }
    Err(Errno::LOOP.into())
}

fn folder_and_name(base: impl std::os::fd::AsFd, path: &Path) -> io::Result<(OwnedFd, std::ffi::OsString)> {
    let name = path.file_name().ok_or(Errno::ISDIR)?.to_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok((openat(base, folder, flags, Mode::empty())?, name))
}

/// How far a link is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Trusted,
    /// It leads only to files of its owner, or to files that all may open.
    OwnFilesOnly,
    /// It leads only to files that can do no harm.
    HarmlessOnly,
}

fn trust_of(link_owner: u32, folder: &Stat, us: u32) -> Trust {
    if link_owner == 0 || link_owner == us {
        return Trust::Trusted;
    }
    if folder.st_mode & (STICKY | WRITE_BY_OTHERS) != 0 && link_owner != folder.st_uid {
        return Trust::HarmlessOnly;
    }
    if us == 0 { Trust::OwnFilesOnly } else { Trust::Trusted }
}

/// The links that were followed.
struct LinkTrail<'a> {
    /// The path of the first.
    path: &'a Path,
    /// The least trust among them.
    trust: Trust,
    /// The owner of that link.
    link_owner: u32,
}

impl LinkTrail<'_> {
    fn add(&mut self, trust: Trust, link_owner: u32) {
        if trust != Trust::Trusted && trust >= self.trust {
            (self.trust, self.link_owner) = (trust, link_owner);
        }
    }

    fn refused(&self) -> io::Error {
        let untrusted = UntrustedLink { path: self.path.to_owned(), owner: self.link_owner };
        io::Error::new(io::ErrorKind::PermissionDenied, untrusted)
    }

    /// Opens the target of links that are not fully trusted, if it is harmless, or if their owner may open it anyway.
    /// Its attributes are checked before it is opened, as opening a device can have effects.
    fn open(&self, folder: &OwnedFd, name: &OsStr, flags: OFlags, in_proc: bool) -> io::Result<OwnedFd> {
        let writes = flags.intersects(OFlags::WRONLY | OFlags::RDWR);
        let wanted = if writes { WRITE_BY_OTHERS } else { READ_BY_OTHERS };
        let before = fstat(openat(folder, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)?;
        let theirs = before.st_uid == self.link_owner || before.st_mode & wanted != 0;
        let may_follow = self.trust == Trust::OwnFilesOnly && theirs;
        let may_open = may_follow || writes && is_harmless(&before, in_proc);
        if !may_open {
            return Err(self.refused());
        }
        let opened = openat(folder, name, flags.difference(OFlags::CREATE | OFlags::TRUNC), Mode::empty())?;
        let after = fstat(&opened)?;
        if !is_same_file(&before, &after) || before.st_uid != after.st_uid {
            return Err(self.refused());
        }
        if may_follow
            && flags.contains(OFlags::TRUNC)
            && FileType::from_raw_mode(after.st_mode) == FileType::RegularFile
        {
            rustix::fs::ftruncate(&opened, 0)?;
        }
        Ok(opened)
    }

    /// Creates the file, if that is allowed. Links that are not fully trusted may only lead into a folder of their
    /// owner.
    fn create(&self, folder: &OwnedFd, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        if !flags.contains(OFlags::CREATE) {
            return Err(Errno::NOENT.into());
        }
        match self.trust {
            Trust::Trusted => {}
            Trust::OwnFilesOnly if fstat(folder)?.st_uid == self.link_owner => {}
            Trust::OwnFilesOnly | Trust::HarmlessOnly => return Err(self.refused()),
        }
        Ok(openat(folder, name, flags | OFlags::NOFOLLOW, mode)?)
    }
}

/// Whether a link to it is safe to follow, whatever its owner: /dev/null, and the file that is our stdout or stderr.
/// If that is a regular file, the path must lead to it through the descriptor in /proc (`in_proc`): a path to the file
/// itself is a link to a file of ours.
fn is_harmless(stat: &Stat, in_proc: bool) -> bool {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice if stat.st_rdev == makedev(1, 3) => return true,
        FileType::RegularFile if !in_proc => return false,
        _ => {}
    }
    let ours = [fstat(io::stdout()), fstat(io::stderr())];
    ours.into_iter().flatten().any(|our| is_same_file(&our, stat))
}

fn is_same_file(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    /// A user that is not us.
    const THEM: u32 = 12_345;
    const OTHERS: u32 = 12_346;

    fn stat_of(uid: u32, mode: u32) -> Stat {
        let mut stat = fstat(File::open(".").unwrap()).unwrap();
        (stat.st_uid, stat.st_mode) = (uid, mode);
        stat
    }

    #[test]
    fn a_link_is_followed_by_who_made_it_and_where_it_stands() {
        use Trust::{HarmlessOnly, OwnFilesOnly, Trusted};
        let table = [
            // the link's owner, the folder's owner, its mode, us
            (0, 0, 0o1777, 0, Trusted),
            (0, THEM, 0o777, 1000, Trusted),
            (1000, 0, 0o1777, 1000, Trusted),
            (THEM, 0, 0o1777, 0, HarmlessOnly),
            (THEM, 0, 0o1777, 1000, HarmlessOnly),
            (THEM, 0, 0o777, 0, HarmlessOnly),
            (THEM, 0, 0o1770, 0, HarmlessOnly),
            (THEM, OTHERS, 0o1777, 0, HarmlessOnly),
            (THEM, THEM, 0o1777, 0, OwnFilesOnly),
            (THEM, THEM, 0o755, 0, OwnFilesOnly),
            (THEM, OTHERS, 0o775, 0, OwnFilesOnly),
            (THEM, THEM, 0o755, 1000, Trusted),
        ];
        for (planter, owner, mode, us, wanted) in table {
            assert_eq!(
                trust_of(planter, &stat_of(owner, mode), us),
                wanted,
                "{planter} {owner} {mode:o} {us}"
            );
        }
    }

    fn append(path: &Path) -> io::Result<OwnedFd> {
        open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND, Mode::from_raw_mode(0o600))
    }

    #[test]
    fn our_own_links_are_followed_also_to_what_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("second", at("first")).unwrap();
        symlink(at("file"), at("second")).unwrap();
        append(&at("first")).unwrap();
        assert!(at("file").is_file());
        symlink("circle", at("circle")).unwrap();
        assert_eq!(append(&at("circle")).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        append(Path::new("/dev/stderr")).unwrap();
        append(Path::new("/proc/self/fd/2")).unwrap();
    }

    #[test]
    fn a_link_that_a_user_has_planted_leads_root_to_no_file_of_roots() {
        if fs_uid() != 0 {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let secret = at("secret");
        fs::write(&secret, "of root").unwrap();
        fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
        let theirs = at("theirs");
        fs::create_dir(&theirs).unwrap();
        let plant = |name: &str, target: &Path| {
            let link = theirs.join(name);
            symlink(target, &link).unwrap();
            lchown(&link, Some(THEM), None).unwrap();
            link
        };
        let to_secret = plant("log", &secret);
        let to_nothing = plant("new", &at("made"));
        let own = theirs.join("own");
        fs::write(&own, "").unwrap();
        lchown(&own, Some(THEM), None).unwrap();
        let to_own = plant("to-own", &own);
        let to_null = plant("null", Path::new("/dev/null"));
        let to_new_of_theirs = plant("next", &theirs.join("made-for-them"));
        let opened = File::options().append(true).open(&secret).unwrap();
        let to_a_descriptor = plant("fd", Path::new(&format!("/proc/self/fd/{}", opened.as_raw_fd())));
        let to_stderr = plant("stderr", Path::new("/dev/stderr"));
        let to_stdout = plant("stdout", Path::new("/proc/self/fd/1"));
        for (owner, mode, world) in [(THEM, 0o755, false), (0, 0o1777, true), (0, 0o777, true)] {
            lchown(&theirs, Some(owner), None).unwrap();
            fs::set_permissions(&theirs, PermissionsExt::from_mode(mode)).unwrap();
            for planted in [&to_secret, &to_nothing, &to_a_descriptor] {
                let refused = append(planted).unwrap_err();
                assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{refused}");
                let said = format!("{} is a symbolic link that user 12345 has made", planted.display());
                assert!(refused.to_string().contains(&said), "{refused}");
            }
            for harmless in [&to_null, &to_stderr, &to_stdout] {
                append(harmless).unwrap();
            }
            assert!(open_to_read(&to_secret).is_err());
            assert_eq!(append(&to_own).is_err(), world);
            assert_eq!(append(&to_new_of_theirs).is_err(), world);
        }
        assert_eq!(fs::read_to_string(&secret).unwrap(), "of root");
        assert!(!at("made").exists());
    }
}
