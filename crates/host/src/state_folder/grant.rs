//! Creates, as root, a state folder for another user: no third user can redirect it by links.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Stat, fchmod, fchown, fstat, mkdirat, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, geteuid};

use super::UserIdentity;
use crate::supervisor_folder::FolderError;

/// The folder of all users' state folders, below that of supervisord.
const USERS: &str = "users";
/// Others may pass through, and not look.
const PASSAGE: u32 = 0o711;
/// The user's alone.
const PRIVATE: u32 = 0o700;

/// Where [`make`] makes the folder of a user.
pub(super) fn place(base: &Path, owner: &UserIdentity) -> PathBuf {
    base.join(USERS).join(owner.folder())
}

/// Makes `BASE/users/NAME`, mode 0700 and the user's own. `BASE` and `users` are ours, and others may pass through them.
/// Each step holds the folder above by its descriptor and follows no link; a folder that is there already keeps its
/// owner, so a wrong one is refused.
pub(super) fn make(base: &Path, owner: &UserIdentity) -> Result<PathBuf, FolderError> {
    let above = base.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        std::fs::create_dir_all(above).map_err(|source| trouble("create", above, source))?;
    }
    let users = base.join(USERS);
    let base_fd = passage(CWD, base, base)?;
    let users_fd = passage(&base_fd, Path::new(USERS), &users)?;
    let name = owner.folder();
    let path = users.join(&name);
    let (folder, stat) = folder(&users_fd, Path::new(&name), &path, PRIVATE)?;
    if stat.st_uid == owner.uid {
        return Ok(path);
    }
    // A folder of ours in a folder of ours: made just now, or by a predecessor that was killed before it gave it away.
    if stat.st_uid == geteuid().as_raw() && is_empty(&folder) {
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        fchown(&folder, Some(uid), Some(gid)).map_err(|errno| trouble("give away", &path, errno))?;
        return Ok(path);
    }
    Err(foreign(&path, format!("it belongs to uid {}, not to {}", stat.st_uid, owner.name)))
}

/// A folder of ours that others may pass through; made where it is not there.
fn passage(above: impl AsFd, name: &Path, path: &Path) -> Result<OwnedFd, FolderError> {
    let (fd, stat) = folder(above, name, path, PASSAGE)?;
    let own = geteuid().as_raw();
    if stat.st_uid != own {
        return Err(foreign(path, format!("it belongs to uid {}, and we are uid {own}", stat.st_uid)));
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Err(foreign(path, format!("others can write in it (mode {mode:o})")));
    }
    if mode & 0o011 != 0o011 {
        let mode = Mode::from_raw_mode(mode | 0o011);
        fchmod(&fd, mode).map_err(|errno| trouble("open a way through", path, errno))?;
    }
    Ok(fd)
}

/// A folder below another, made with this mode where it is not there; never a link.
fn folder(above: impl AsFd, name: &Path, path: &Path, mode: u32) -> Result<(OwnedFd, Stat), FolderError> {
    match mkdirat(&above, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(trouble("create", path, errno)),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = openat(&above, name, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP | Errno::NOTDIR => foreign(path, "it is no folder".to_owned()),
        errno => trouble("open", path, errno),
    })?;
    let stat = fstat(&fd).map_err(|errno| trouble("look at", path, errno))?;
    debug_assert_eq!(FileType::from_raw_mode(stat.st_mode), FileType::Directory, "opened as one");
    Ok((fd, stat))
}

fn is_empty(folder: &OwnedFd) -> bool {
    let Ok(entries) = Dir::read_from(folder) else { return false };
    entries.flatten().all(|entry| [&b"."[..], b".."].contains(&entry.file_name().to_bytes()))
}

fn trouble(action: &'static str, path: &Path, source: impl Into<io::Error>) -> FolderError {
    FolderError::Io { action, path: path.to_owned(), source: source.into() }
}

fn foreign(path: &Path, reason: String) -> FolderError {
    FolderError::Foreign { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn the_folder_is_the_users_alone_and_can_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("lib/ironlance");
        let own = UserIdentity { name: "joe".into(), ..UserIdentity::current() };
        let path = make(&base, &own).unwrap();
        assert_eq!(path, place(&base, &own));
        assert_eq!((mode(&base), mode(&base.join("users")), mode(&path)), (0o711, 0o711, 0o700));
        assert_eq!(make(&base, &own).unwrap(), path, "the second time it is there");
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700)).unwrap();
        make(&base, &own).unwrap();
        assert_eq!(mode(&base), 0o711, "one that a listener of root had made closed");
    }

    #[test]
    fn links_strangers_and_open_doors_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let own = UserIdentity { name: "joe".into(), ..UserIdentity::current() };
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let base = folder.path().join("one");
        fs::create_dir(&base).unwrap();
        symlink(&elsewhere, base.join("users")).unwrap();
        assert!(make(&base, &own).unwrap_err().to_string().ends_with("it is no folder"));
        fs::remove_file(base.join("users")).unwrap();
        fs::create_dir(base.join("users")).unwrap();
        symlink(&elsewhere, base.join("users/joe")).unwrap();
        assert!(make(&base, &own).unwrap_err().to_string().ends_with("it is no folder"));
        fs::set_permissions(base.join("users"), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(make(&base, &own).unwrap_err().to_string().contains("others can write in it"));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn what_holds_something_is_never_given_away() {
        let folder = tempfile::tempdir().unwrap();
        let joe = UserIdentity {
            uid: UserIdentity::current().uid + 1,
            name: "joe".into(),
            ..UserIdentity::current()
        };
        let path = place(folder.path(), &joe);
        fs::create_dir_all(path.join("outbox")).unwrap();
        let refused = make(folder.path(), &joe).unwrap_err().to_string();
        assert!(refused.ends_with("not to joe"), "{refused}");
    }
}
