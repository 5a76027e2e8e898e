//! Opens files by name without following symbolic links that somebody else has planted there.
//!
//! A daemon that is root must not write to a file of root's, or tell what is in it, because a user has put a link of
//! that name where the log or the pidfile belongs. `fs.protected_symlinks` does this for sticky folders that everybody
//! may write to; here it holds whether the kernel does it or not, and for folders of one user as well:
//!
//! ```text
//! who made the link                           followed
//! ──────────────────────────────────────────  ──────────────────────────────────────────────────────────────
//! root, or the user that we are               yes
//! somebody else, in a folder that is sticky   no, unless the folder is theirs; then as below
//!   or that everybody may write to
//! somebody else, in another folder            we are not root: yes
//!                                             we are root: to a file that is theirs, or that anybody may open so
//! anybody, anywhere                           to write: to /dev/null, and to what is our stdout or stderr already
//! ```
//!
//! The last row is for containers: a link to /dev/stdout that `chown -R` has given away with the folder of the logs.

use std::ffi::OsStr;
use std::fs::File;
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

/// So many links may lead from one to the next, as in the kernel.
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
/// Those of open(2); a link that is not followed is a refused permission, in words that name who made it.
pub(crate) fn open(path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    match open_following(path, flags | OFlags::NOFOLLOW, mode) {
        // The second is what the kernel says of a link in a sticky folder where a file might be made.
        Err(Errno::LOOP | Errno::ACCESS) if path.is_symlink() => {
            open_through_links(path, flags, mode, fs_uid())
        }
        other => Ok(other?),
    }
}

/// As whom this thread opens files.
pub(crate) fn fs_uid() -> u32 {
    // There is no such user, so nothing changes; the answer is who it was before.
    setfsuid(Uid::from_raw(u32::MAX)).as_raw()
}

/// Opens a file to read it; never waits for who writes to a FIFO.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    open(path, flags, Mode::empty()).map(File::from)
}

/// Goes from link to link; `us` is the user that we are.
fn open_through_links(path: &Path, flags: OFlags, mode: Mode, us: u32) -> io::Result<OwnedFd> {
    let (mut folder, mut name) = folder_and_name(CWD, path)?;
    let mut way = LinkTrail { path, trust: Trust::Trusted, link_owner: us };
    for _ in 0..MAX_LINKS {
        if fstatfs(&folder)?.f_type == PROC_SUPER_MAGIC {
            // Links of /proc are the kernel's own: what they lead to has no name to go on with.
            return match way.trust {
                Trust::Trusted => Ok(openat(&folder, &*name, flags, mode)?),
                Trust::OwnFilesOnly | Trust::HarmlessOnly => way.open(&folder, &name, flags, true),
            };
        }
        let link =
            match openat(&folder, &*name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::NOENT) => return way.create(&folder, &name, flags, mode),
                Err(why) => return Err(why.into()),
            };
        let found = fstat(&link)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Symlink {
            return match way.trust {
                Trust::Trusted => Ok(openat(&folder, &*name, flags | OFlags::NOFOLLOW, mode)?),
                Trust::OwnFilesOnly | Trust::HarmlessOnly => way.open(&folder, &name, flags, false),
            };
        }
        way.add(trust_of(found.st_uid, &fstat(&folder)?, us), found.st_uid);
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

/// Whether a link is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trust {
    Trusted,
    /// To what belongs to who made it, or is open to everybody.
    OwnFilesOnly,
    /// Only to what can do no harm.
    HarmlessOnly,
}

fn trust_of(planter: u32, folder: &Stat, us: u32) -> Trust {
    if planter == 0 || planter == us {
        return Trust::Trusted;
    }
    if folder.st_mode & (STICKY | WRITE_BY_OTHERS) != 0 && planter != folder.st_uid {
        return Trust::HarmlessOnly;
    }
    if us == 0 { Trust::OwnFilesOnly } else { Trust::Trusted }
}

/// The links that have been followed so far.
struct LinkTrail<'a> {
    /// Where they began.
    path: &'a Path,
    /// Of the least trusted of them.
    trust: Trust,
    /// Who made that one.
    link_owner: u32,
}

impl LinkTrail<'_> {
    fn add(&mut self, judgement: Trust, planter: u32) {
        if judgement != Trust::Trusted && judgement >= self.trust {
            (self.trust, self.link_owner) = (judgement, planter);
        }
    }

    fn refused(&self) -> io::Error {
        let planted = UntrustedLink { path: self.path.to_owned(), owner: self.link_owner };
        io::Error::new(io::ErrorKind::PermissionDenied, planted)
    }

    /// Opens what links that are not trusted have led us to, if it is harmless; or theirs, or open to everybody, where
    /// that is enough. It is looked at before it is opened, as to open a device may do something.
    fn open(&self, folder: &OwnedFd, name: &OsStr, flags: OFlags, in_proc: bool) -> io::Result<OwnedFd> {
        let writes = flags.intersects(OFlags::WRONLY | OFlags::RDWR);
        let wanted = if writes { WRITE_BY_OTHERS } else { READ_BY_OTHERS };
        let before = fstat(openat(folder, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)?;
        let theirs = before.st_uid == self.link_owner || before.st_mode & wanted != 0;
        let suits = self.trust == Trust::OwnFilesOnly && theirs;
        let may = suits || writes && is_harmless(&before, in_proc);
        if !may {
            return Err(self.refused());
        }
        let opened = openat(folder, name, flags.difference(OFlags::CREATE | OFlags::TRUNC), Mode::empty())?;
        let after = fstat(&opened)?;
        if !is_same_file(&before, &after) || before.st_uid != after.st_uid {
            return Err(self.refused());
        }
        if suits
            && flags.contains(OFlags::TRUNC)
            && FileType::from_raw_mode(after.st_mode) == FileType::RegularFile
        {
            rustix::fs::ftruncate(&opened, 0)?;
        }
        Ok(opened)
    }

    /// Makes what is not there, if it may be made; where links that are not trusted have led us, only in a folder of
    /// who made them.
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

/// Whether it may be written to whoever has led us there: /dev/null, and what our stdout or stderr leads to. If that is a
/// regular file it must have been named by the descriptor (`in_proc`), as whoever can name the file itself has made a
/// link to a file of ours.
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
            // planter, the folder's owner, its mode, us
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
