//! Whether a user can use a folder, or make it: judged by modes and owners, without becoming that user.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use rustix::process::geteuid;

use super::UserIdentity;

/// What is wanted of a folder.
#[derive(Clone, Copy)]
enum Permission {
    Enter = 0o1,
    WriteAndEnter = 0o3,
}

/// Whether the user can keep an outbox in a folder that is there or that the user would make with all above it.
/// Gives the reason why not, in words such as `joe cannot write in /`.
///
/// Access lists are not looked at; a user that only a list grants access counts as denied.
pub(super) fn usable(path: &Path, owner: &UserIdentity) -> Result<(), String> {
    if !path.is_absolute() {
        return Err(format!("{} is no absolute path", path.display()));
    }
    let mut deepest = Path::new("/");
    let mut above: Vec<&Path> = path.ancestors().collect();
    above.reverse();
    for folder in above {
        match fs::metadata(folder) {
            Ok(found) if !found.is_dir() => return Err(format!("{} is no folder", folder.display())),
            Ok(found) => {
                check_permission(owner, folder, &found, Permission::Enter)?;
                deepest = folder;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(format!("cannot look at {}: {error}", folder.display())),
        }
    }
    let found =
        fs::metadata(deepest).map_err(|error| format!("cannot look at {}: {error}", deepest.display()))?;
    check_permission(owner, deepest, &found, Permission::WriteAndEnter)?;
    if statvfs(deepest).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Err(format!("{} is on a read-only file system", deepest.display()));
    }
    // For our own user the kernel is asked: it knows more than the modes.
    if owner.uid == geteuid().as_raw() && access(deepest, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(format!("{} cannot write in {}", owner.name, deepest.display()));
    }
    let outbox = path.join("outbox");
    match fs::symlink_metadata(&outbox) {
        Ok(found) if !found.is_dir() => Err(format!("{} is no folder", outbox.display())),
        Ok(found) if found.uid() != owner.uid => {
            Err(format!("{} belongs to uid {}, not to {}", outbox.display(), found.uid(), owner.name))
        }
        _ => Ok(()),
    }
}

/// Whether an outbox of the user `uid` is there.
pub(super) fn holds_outbox(path: &Path, uid: u32) -> bool {
    let outbox = fs::symlink_metadata(path.join("outbox"));
    outbox.is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

fn check_permission(
    owner: &UserIdentity,
    folder: &Path,
    found: &Metadata,
    right: Permission,
) -> Result<(), String> {
    if owner.is_root() {
        return Ok(());
    }
    let is_of_group = owner.gid == found.gid() || owner.groups.contains(&found.gid());
    let shift = match (found.uid() == owner.uid, is_of_group) {
        (true, _) => 6,
        (false, true) => 3,
        (false, false) => 0,
    };
    let wanted = right as u32;
    if (found.mode() >> shift) & wanted == wanted {
        return Ok(());
    }
    let verb = match right {
        Permission::Enter => "enter",
        Permission::WriteAndEnter => "write in",
    };
    Err(format!("{} cannot {verb} {}", owner.name, folder.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn stranger(uid: u32) -> UserIdentity {
        UserIdentity { uid, gid: uid, groups: Vec::new(), name: "joe".to_owned(), home: None }
    }

    #[test]
    fn a_folder_is_usable_for_who_can_make_it_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        let own = UserIdentity::current();
        let wanted = folder.path().join("a/b");
        assert_eq!(usable(&wanted, &own), Ok(()));
        let joe = stranger(own.uid + 1);
        mode(0o755);
        let shown = folder.path().display();
        assert_eq!(usable(&wanted, &joe), Err(format!("joe cannot write in {shown}")));
        mode(0o700);
        assert_eq!(usable(&wanted, &joe), Err(format!("joe cannot enter {shown}")));
        mode(0o777);
        assert_eq!(usable(&wanted, &joe), Ok(()));
        fs::create_dir_all(wanted.join("outbox")).unwrap();
        let refused = usable(&wanted, &joe).unwrap_err();
        assert!(refused.starts_with("joe cannot write in ") || refused.contains("belongs to"), "{refused}");
        assert!(holds_outbox(&wanted, own.uid) && !holds_outbox(&wanted, joe.uid));
    }

    #[test]
    fn what_is_no_folder_is_not_usable() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let own = UserIdentity::current();
        let refused = usable(&folder.path().join("file/state"), &own).unwrap_err();
        assert!(refused.ends_with("/file is no folder"), "{refused}");
        assert!(usable(Path::new("relative"), &own).is_err());
    }
}
