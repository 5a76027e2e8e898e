//! Which folder holds the outbox: [`state_dir`], by the environment or by what our supervisord has made for this user.
//!
//! `ironlance outbox`, run by hand as that user, has no `IRONLANCE_STATE` in its environment and finds the folder again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The state folder: `IRONLANCE_STATE`, else `/var/lib/ironlance` for root, else below `XDG_STATE_HOME` or the home; or,
/// where there is no outbox, one that our supervisord has made for us.
pub fn state_dir() -> PathBuf {
    let root = rustix::process::geteuid().is_root();
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = state_dir_by(|name| if name == "HOME" { own_home() } else { variable(name) }, root);
    if root || variable("IRONLANCE_STATE").is_some() {
        return own;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    or_assigned(own, Path::new(OF_ROOT), rustix::process::geteuid().as_raw(), &passwd)
}

/// Root's state folder.
const OF_ROOT: &str = "/var/lib/ironlance";

fn state_dir_by(variable: impl Fn(&str) -> Option<PathBuf>, root: bool) -> PathBuf {
    if let Some(dir) = variable("IRONLANCE_STATE") {
        return dir;
    }
    if root {
        return PathBuf::from(OF_ROOT);
    }
    let home = || variable("HOME").unwrap_or_else(|| PathBuf::from("/")).join(".local/state");
    variable("XDG_STATE_HOME").unwrap_or_else(home).join("ironlance")
}

/// The home folder of our user by /etc/passwd, when `HOME` is another's: supervisord's `user=` does not change it.
fn own_home() -> Option<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if home.as_ref().is_some_and(|home| fs::metadata(home).is_ok_and(|meta| meta.uid() == uid)) {
        return home;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let own = lines.find(|fields| fields.get(2).and_then(|field| field.parse().ok()) == Some(uid));
    own.and_then(|fields| fields.get(5).map(PathBuf::from)).or(home)
}

/// The state folder of the user `uid`, by the text of /etc/passwd: `own`, unless there is an outbox below `base` and none
/// in `own`.
fn or_assigned(own: PathBuf, base: &Path, uid: u32, passwd: &str) -> PathBuf {
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

    #[test]
    fn the_state_folder_is_found_by_rule() {
        let none = |_: &str| None;
        assert_eq!(state_dir_by(none, true), Path::new("/var/lib/ironlance"));
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/me"));
        assert_eq!(state_dir_by(home, false), Path::new("/home/me/.local/state/ironlance"));
        let xdg = |name: &str| (name == "XDG_STATE_HOME").then(|| PathBuf::from("/x"));
        assert_eq!(state_dir_by(xdg, false), Path::new("/x/ironlance"));
        let own = |name: &str| (name == "IRONLANCE_STATE").then(|| PathBuf::from("/own"));
        assert_eq!(state_dir_by(own, true), Path::new("/own"));
    }
}
