//! As whom a process runs: what `drop_privileges` of the original looks up, looked up before the fork.

use std::ffi::CString;

use nix::unistd::{Gid, Uid, User, getgrouplist, getuid};

/// The user a process is to run as, with what setgroups, setgid and setuid are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// What is to be done to become this user.
    pub standing: Standing,
}

/// What is to be done to become a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: we are this user.
    Already,
    /// Groups, group and user are set, in this order.
    Change {
        /// The primary group.
        gid: u32,
        /// All groups, the primary one first.
        groups: Vec<u32>,
    },
    /// It cannot be done; a child says so, in the original's words, and ends with status 127.
    Refused(String),
}

impl Identity {
    /// Looks up a user and the groups; reads the user database, which may take time where that is a server.
    pub fn of(uid: u32) -> Self {
        Self { uid, standing: standing(uid) }
    }
}

fn standing(uid: u32) -> Standing {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return Standing::Refused(format!("Can't find uid {uid}"));
    };
    if getuid().as_raw() == uid {
        return Standing::Already;
    }
    if !getuid().is_root() {
        return Standing::Refused("Can't drop privilege as nonroot user".to_owned());
    }
    let primary = user.gid.as_raw();
    let name = CString::new(user.name).unwrap_or_default();
    let others = getgrouplist(&name, user.gid).unwrap_or_default();
    let others = others.into_iter().map(Gid::as_raw).filter(|gid| *gid != primary);
    Standing::Change { gid: primary, groups: std::iter::once(primary).chain(others).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_to_become_oneself() {
        assert_eq!(Identity::of(getuid().as_raw()).standing, Standing::Already);
    }

    #[test]
    fn an_unknown_user_is_refused_in_the_words_of_the_original() {
        let unknown = 3_999_999_999;
        assert_eq!(Identity::of(unknown).standing, Standing::Refused(format!("Can't find uid {unknown}")));
    }

    #[test]
    fn only_root_becomes_somebody_else() {
        let other = User::from_name("daemon").unwrap().unwrap();
        if getuid().is_root() {
            let Standing::Change { gid, groups } = Identity::of(other.uid.as_raw()).standing else {
                panic!()
            };
            assert_eq!((gid, groups[0]), (other.gid.as_raw(), other.gid.as_raw()));
        } else {
            let refused = Standing::Refused("Can't drop privilege as nonroot user".to_owned());
            assert_eq!(Identity::of(other.uid.as_raw()).standing, refused);
        }
    }
}
