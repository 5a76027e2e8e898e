//! Changing from root to the user of `user=`: [`drop_privileges`] (`drop_privileges` and `set_uid_or_exit` of the
//! original).

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

use crate::child::identity::{Identity, UserSwitch};

/// Logged by a daemon that runs as root without `user=`.
pub(crate) const RUNNING_AS_ROOT: &str = "Supervisor is running as root.  Privileges were not dropped because no user is \
     specified in the config file.  If you intend to run as root, you can set user=root in the config file to avoid \
     this message.";

/// Changes the user of this process. The info is for the log; the error is what the original prints after `Error: `.
/// To be called while there is one thread.
pub(crate) fn drop_privileges(uid: u32) -> Result<String, String> {
    match Identity::look_up(uid).switch {
        UserSwitch::Unneeded => {}
        UserSwitch::Refused(why) => return Err(why),
        UserSwitch::Switch { gid, groups } => switch_user(uid, gid, &groups).map_err(str::to_owned)?,
    }
    Ok(format!("Set uid to user {uid} succeeded"))
}

fn switch_user(uid: u32, gid: u32, groups: &[u32]) -> Result<(), &'static str> {
    let groups: Vec<_> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    setgroups(&groups).map_err(|_| "Could not set groups of effective user")?;
    setgid(Gid::from_raw(gid)).map_err(|_| "Could not set group id of effective user")?;
    setuid(Uid::from_raw(uid)).map_err(|_| "Could not set user id of effective user")
}

#[cfg(test)]
mod tests {
    use nix::unistd::getuid;

    use super::*;

    #[test]
    fn to_stay_who_we_are_succeeds_and_an_unknown_user_does_not() {
        let uid = getuid().as_raw();
        assert_eq!(drop_privileges(uid), Ok(format!("Set uid to user {uid} succeeded")));
        assert_eq!(drop_privileges(3_999_999_999), Err("Can't find uid 3999999999".to_owned()));
    }
}
