//! Which state folder a listener uses: the listener's own rule, and what supervisord adds to it.

use std::cell::LazyCell;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::{UserIdentity, access, grant};

/// The variable that names the state folder.
pub const VARIABLE: &str = "IRONLANCE_STATE";
/// Root's state folder.
const OF_ROOT: &str = "/var/lib/ironlance";

/// What a listener's environment says of state folders. An empty variable counts as none.
#[derive(Clone, Copy, Debug, Default)]
pub struct StateFolderEnv<'a> {
    /// `IRONLANCE_STATE` of the program's own `environment=`.
    pub own: Option<&'a OsStr>,
    /// `IRONLANCE_STATE` of supervisord.
    pub inherited: Option<&'a OsStr>,
    /// `XDG_STATE_HOME` as the listener gets it.
    pub xdg_state_home: Option<&'a OsStr>,
    /// `HOME` as the listener gets it.
    pub home: Option<&'a OsStr>,
}

/// The state folder of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Supervisord made it for the user: the listener gets it in `IRONLANCE_STATE`.
    pub granted: bool,
    /// Why the listener cannot keep alerts there. It delivers from memory.
    pub problem: Option<String>,
}

/// What the rule gives before the disk is read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Candidate {
    /// The program's environment says so.
    Told(PathBuf),
    /// The listener's own rule; and below which folder supervisord may make another, where it is root and the listener
    /// is not.
    ByRule { own: PathBuf, base: Option<PathBuf> },
}

/// Whether a missing folder is created.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intent {
    Make,
    Look,
}

/// The state folder of this process, a listener or `ironlance outbox`: by the rule, or one that our supervisord has made for
/// this user, where that alone holds an outbox. The user database is read only where the answer depends on it.
pub fn own_state_folder() -> PathBuf {
    let [own, xdg_state_home, home] = [VARIABLE, "XDG_STATE_HOME", "HOME"].map(env::var_os);
    let environment = StateFolderEnv {
        own: own.as_deref(),
        inherited: None,
        xdg_state_home: xdg_state_home.as_deref(),
        home: home.as_deref(),
    };
    own_by(&environment, geteuid().as_raw())
}

fn own_by(environment: &StateFolderEnv<'_>, uid: u32) -> PathBuf {
    let owner = LazyCell::new(|| UserIdentity::from_uid(uid));
    let (own, base) = match place(environment, uid, 0, || home_of(environment, &owner)) {
        Candidate::ByRule { own, base: Some(base) } if !access::holds_outbox(&own, uid) => (own, base),
        Candidate::Told(path) | Candidate::ByRule { own: path, .. } => return path,
    };
    Some(grant::place(&base, &owner)).filter(|granted| access::holds_outbox(granted, uid)).unwrap_or(own)
}

/// Finds the state folder of a listener that runs as `owner`, and makes it where only supervisord can.
pub fn locate(environment: &StateFolderEnv<'_>, owner: &UserIdentity) -> StateFolder {
    choose(environment, owner, geteuid().as_raw(), Intent::Make)
}

/// What [`locate`] would give in a supervisord that runs as the user `daemon`; makes nothing.
pub fn predict(environment: &StateFolderEnv<'_>, owner: &UserIdentity, daemon: u32) -> StateFolder {
    choose(environment, owner, daemon, Intent::Look)
}

fn choose(
    environment: &StateFolderEnv<'_>,
    owner: &UserIdentity,
    daemon: u32,
    intent: Intent,
) -> StateFolder {
    let plain = |path: PathBuf| {
        let trouble = access::usable(&path, owner).err();
        StateFolder { path, granted: false, problem: trouble }
    };
    let (own, base) = match place(environment, owner.uid, daemon, || home_of(environment, owner)) {
        Candidate::Told(path) | Candidate::ByRule { own: path, base: None } => return plain(path),
        Candidate::ByRule { own, base: Some(base) } => (own, base),
    };
    let granted = grant::place(&base, owner);
    let own_usable = access::usable(&own, owner);
    // An outbox with waiting alerts stays in use.
    let stays = own_usable.is_ok()
        && (access::holds_outbox(&own, owner.uid) || !access::holds_outbox(&granted, owner.uid));
    if stays {
        return StateFolder { path: own, granted: false, problem: None };
    }
    let made = match intent {
        Intent::Make => grant::make(&base, owner).map_err(|error| error.to_string()),
        // Root can make it, as far as one can see.
        Intent::Look => {
            access::usable(&base, &UserIdentity { uid: daemon, ..owner.clone() }).map(|()| granted)
        }
    };
    match made.and_then(|path| check_access(&path, owner, intent).map(|()| path)) {
        Ok(path) => StateFolder { path, granted: true, problem: None },
        Err(why) => {
            let own_why = own_usable.err().unwrap_or_default();
            let trouble = [own_why, why].into_iter().filter(|why| !why.is_empty()).collect::<Vec<_>>();
            StateFolder { path: own, granted: false, problem: Some(trouble.join("; ")) }
        }
    }
}

/// A folder that was made may stand behind one that the user cannot pass.
fn check_access(path: &Path, owner: &UserIdentity, intent: Intent) -> Result<(), String> {
    if intent == Intent::Make { access::usable(path, owner) } else { Ok(()) }
}

fn place(
    environment: &StateFolderEnv<'_>,
    owner: u32,
    daemon: u32,
    home: impl FnOnce() -> PathBuf,
) -> Candidate {
    let filled = |value: Option<&OsStr>| value.filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = filled(environment.own) {
        return Candidate::Told(own);
    }
    let helped = daemon == 0 && owner != 0;
    if let Some(inherited) = filled(environment.inherited) {
        let base = helped.then(|| inherited.clone());
        return Candidate::ByRule { own: inherited, base };
    }
    if owner == 0 {
        return Candidate::ByRule { own: OF_ROOT.into(), base: None };
    }
    let state = filled(environment.xdg_state_home).unwrap_or_else(|| home().join(".local/state"));
    Candidate::ByRule { own: state.join("ironlance"), base: helped.then(|| OF_ROOT.into()) }
}

/// `HOME` where it is the user's, else the home of the user database: `user=` changes no `HOME`.
fn home_of(environment: &StateFolderEnv<'_>, owner: &UserIdentity) -> PathBuf {
    let home = environment.home.map(PathBuf::from);
    if let Some(home) = &home
        && fs::metadata(home).is_ok_and(|found| found.uid() == owner.uid)
    {
        return home.clone();
    }
    owner.home.clone().or(home).unwrap_or_else(|| "/".into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn joe() -> UserIdentity {
        UserIdentity { uid: 501, gid: 501, groups: Vec::new(), name: "joe".to_owned(), home: None }
    }

    #[test]
    fn the_rule_of_the_listener_holds_and_root_adds_a_way_out() {
        let (root, joe) = (0, joe().uid);
        let own = |path: &str, base: Option<&str>| Candidate::ByRule {
            own: path.into(),
            base: base.map(PathBuf::from),
        };
        let of = |own, inherited, xdg| StateFolderEnv {
            own: Some(OsStr::new(own)),
            inherited: Some(OsStr::new(inherited)),
            xdg_state_home: Some(OsStr::new(xdg)),
            home: None,
        };
        for (environment, owner, daemon, expected) in [
            (of("/own", "/in", "/x"), joe, 0, Candidate::Told("/own".into())),
            (of("", "/in", "/x"), joe, 0, own("/in", Some("/in"))),
            (of("", "/in", "/x"), root, 0, own("/in", None)),
            (of("", "/in", "/x"), joe, 501, own("/in", None)),
            (of("", "", "/x"), joe, 0, own("/x/ironlance", Some(OF_ROOT))),
            (of("", "", "/x"), root, 0, own(OF_ROOT, None)),
            (of("", "", ""), joe, 0, own("/home/joe/.local/state/ironlance", Some(OF_ROOT))),
            (of("", "", ""), joe, 501, own("/home/joe/.local/state/ironlance", None)),
        ] {
            assert_eq!(place(&environment, owner, daemon, || "/home/joe".into()), expected);
        }
    }

    #[test]
    fn the_folder_that_supervisord_made_is_found_and_alerts_at_home_go_before() {
        let folder = tempfile::tempdir().unwrap();
        // Root asks for another user, and makes what that one would have.
        let own = UserIdentity::current().uid;
        let uid = if own == 0 { 3_999_999_998 } else { own };
        let make = |outbox: PathBuf| {
            fs::create_dir_all(&outbox).unwrap();
            std::os::unix::fs::chown(&outbox, Some(uid), None).unwrap();
        };
        let told = StateFolderEnv { own: Some(OsStr::new("/own")), ..StateFolderEnv::default() };
        assert_eq!(own_by(&told, uid), Path::new("/own"));
        let found = || own_by(&given(folder.path()), uid);
        assert_eq!(found(), folder.path(), "there is none");
        let granted = grant::place(folder.path(), &UserIdentity::from_uid(uid));
        make(granted.join("outbox"));
        assert_eq!(found(), granted);
        make(folder.path().join("outbox"));
        assert_eq!(found(), folder.path());
    }

    #[test]
    fn alerts_that_wait_are_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        // Root may write everywhere, so this is a user other than root.
        let here = UserIdentity::current();
        if here.is_root() {
            return as_root(folder.path());
        }
        let found = choose(&given(folder.path()), &here, here.uid, Intent::Make);
        assert_eq!(found, StateFolder { path: folder.path().into(), granted: false, problem: None });
    }

    fn given(path: &Path) -> StateFolderEnv<'_> {
        StateFolderEnv { inherited: Some(path.as_os_str()), ..StateFolderEnv::default() }
    }

    fn as_root(folder: &Path) {
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        open(folder);
        let base = folder.join("state");
        let joe = joe();
        let foreseen = choose(&given(&base), &joe, 0, Intent::Look);
        assert!(!base.exists(), "looking makes nothing");
        let found = choose(&given(&base), &joe, 0, Intent::Make);
        let expected = StateFolder { path: base.join("users/joe"), granted: true, problem: None };
        assert_eq!((&found, &foreseen), (&expected, &expected));
        assert_eq!(fs::metadata(&found.path).unwrap().uid(), joe.uid);
        // A home that the user can write in is used, unless alerts wait where they were.
        let home = folder.join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::chown(&home, Some(joe.uid), None).unwrap();
        fs::create_dir(found.path.join("outbox")).unwrap();
        let with = |own_outbox: bool| {
            let path = home.join("state");
            if own_outbox {
                fs::create_dir_all(path.join("outbox")).unwrap();
                for made in [path.clone(), path.join("outbox")] {
                    std::os::unix::fs::chown(made, Some(joe.uid), None).unwrap();
                }
            }
            choose(&given(&path), &joe, 0, Intent::Make)
        };
        assert_eq!(with(false).path, home.join("state"), "the outbox elsewhere is below another base");
        assert_eq!(with(true).path, home.join("state"));
        // Nothing helps where root's folder is a file.
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        let found = choose(&given(&file), &joe, 0, Intent::Make);
        assert!(found.problem.is_some() && !found.granted, "{found:?}");
    }
}
