//! A state folder that our supervisord has made for a user who can make none: found again without being told.
//!
//! `ironlance outbox`, run by hand as that user, has no `IRONLANCE_STATE` in its environment.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The state folder of the user `uid`, by the text of /etc/passwd: `own`, unless there is an outbox below `base` and none
/// in `own`.
pub(super) fn or_assigned(own: PathBuf, base: &Path, uid: u32, passwd: &str) -> PathBuf {
    let is_ours = |path: &Path| {
        let outbox = fs::symlink_metadata(path.join("outbox"));
        outbox.is_ok_and(|found| found.is_dir() && found.uid() == uid)
    };
    if is_ours(&own) {
        return own;
    }
    let mut names = passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then_some(fields[0])
    });
    let by_name = names.next().filter(|name| !name.starts_with('.') && !name.contains('/'));
    let folders = by_name.map(str::to_owned).into_iter().chain([format!("uid-{uid}"), uid.to_string()]);
    folders.map(|name| base.join("users").join(name)).find(|path| is_ours(path)).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_that_supervisord_made_is_found_and_alerts_at_home_go_before() {
        let folder = tempfile::tempdir().unwrap();
        let (own, base) = (folder.path().join("home"), folder.path().join("lib"));
        let uid = rustix::process::geteuid().as_raw();
        let passwd = format!("x:x:99999:1::/:\njoe:x:{uid}:1:,,,:/nonexistent:/bin/sh\nodd\n");
        let found = || or_assigned(own.clone(), &base, uid, &passwd);
        assert_eq!(found(), own, "there is none");
        let granted = base.join("users/joe");
        fs::create_dir_all(granted.join("outbox")).unwrap();
        assert_eq!(found(), granted);
        assert_eq!(or_assigned(own.clone(), &base, uid + 1, &passwd), own, "it is another's");
        assert_eq!(or_assigned(own.clone(), &base, uid, "../../etc:x:0:\n"), own);
        fs::create_dir_all(own.join("outbox")).unwrap();
        assert_eq!(found(), own);
    }
}
