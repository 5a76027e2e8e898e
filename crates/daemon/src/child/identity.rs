//! The user a process runs as: [`Identity`], looked up before the fork (`drop_privileges` of the original).

use std::collections::HashMap;
use std::ffi::CString;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, getgrouplist, getuid};

/// The user a process is to run as, with what setgroups, setgid and setuid are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// How to become this user.
    pub switch: UserSwitch,
}

/// How to become a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserSwitch {
    /// Nothing is to be done: this process is the user.
    Unneeded,
    /// Set the groups, the group and the user, in this order.
    Switch {
        /// The primary group.
        gid: u32,
        /// All groups, the primary one first.
        groups: Vec<u32>,
    },
    /// It cannot be done. The child writes these words of the original and ends with status 127.
    Refused(String),
}

impl Identity {
    /// Looks up a user and its groups in the user database, which may be a server and take time.
    pub fn look_up(uid: u32) -> Self {
        Self {
            uid,
            switch: user_switch(uid, User::from_uid(Uid::from_raw(uid)).unwrap_or_default().as_ref()),
        }
    }
}

fn user_switch(uid: u32, user: Option<&User>) -> UserSwitch {
    let Some(user) = user else { return UserSwitch::Refused(format!("Can't find uid {uid}")) };
    if getuid().as_raw() == uid {
        return UserSwitch::Unneeded;
    }
    if !getuid().is_root() {
        return UserSwitch::Refused("Can't drop privilege as nonroot user".to_owned());
    }
    let primary = user.gid.as_raw();
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let others = getgrouplist(&name, user.gid).unwrap_or_default();
    let others = others.into_iter().map(Gid::as_raw).filter(|gid| *gid != primary);
    UserSwitch::Switch { gid: primary, groups: std::iter::once(primary).chain(others).collect() }
}

/// How long a looked-up user is used without asking again: many programs start at once. A user that was deleted
/// earlier starts no more programs.
const CACHE_TIME: Duration = Duration::from_secs(1);

/// Looked-up users, asked for again when [`CACHE_TIME`] has passed.
#[derive(Debug, Default)]
pub(crate) struct IdentityCache(HashMap<u32, (Duration, Rc<Identity>)>);

impl IdentityCache {
    /// Looks up a user; `now` is monotonic. If the database fails, its last answer is used.
    pub(crate) fn look_up(&mut self, uid: u32, now: Duration) -> Rc<Identity> {
        self.look_up_with(uid, now, || User::from_uid(Uid::from_raw(uid)))
    }

    fn look_up_with(
        &mut self,
        uid: u32,
        now: Duration,
        ask: impl FnOnce() -> Result<Option<User>, Errno>,
    ) -> Rc<Identity> {
        let known = self.0.get(&uid);
        if let Some((asked, identity)) = known
            && now < *asked + CACHE_TIME
        {
            return Rc::clone(identity);
        }
        let identity = match (ask(), known) {
            (Err(_), Some((_, identity))) => Rc::clone(identity),
            (answer, _) => {
                let user = answer.unwrap_or_default();
                Rc::new(Identity { uid, switch: user_switch(uid, user.as_ref()) })
            }
        };
        self.0.insert(uid, (now, Rc::clone(&identity)));
        identity
    }

    /// Forgets all users.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_to_become_oneself() {
        assert_eq!(Identity::look_up(getuid().as_raw()).switch, UserSwitch::Unneeded);
    }

    #[test]
    fn an_unknown_user_is_refused_in_the_words_of_the_original() {
        let unknown = 3_999_999_999;
        assert_eq!(
            Identity::look_up(unknown).switch,
            UserSwitch::Refused(format!("Can't find uid {unknown}"))
        );
    }

    #[test]
    fn only_root_becomes_somebody_else() {
        let other = User::from_name("daemon").unwrap().unwrap();
        if getuid().is_root() {
            let UserSwitch::Switch { gid, groups } = Identity::look_up(other.uid.as_raw()).switch else {
                panic!()
            };
            assert_eq!((gid, groups[0]), (other.gid.as_raw(), other.gid.as_raw()));
        } else {
            let refused = UserSwitch::Refused("Can't drop privilege as nonroot user".to_owned());
            assert_eq!(Identity::look_up(other.uid.as_raw()).switch, refused);
        }
    }

    #[test]
    fn a_user_who_is_deleted_starts_nothing_more_and_one_who_cannot_be_asked_for_goes_on() {
        let uid = getuid().as_raw();
        let me = || User::from_uid(Uid::from_raw(uid));
        let mut users = IdentityCache::default();
        let at = Duration::from_secs;
        assert_eq!(users.look_up_with(uid, at(10), me).switch, UserSwitch::Unneeded);
        let asked_too_often = || -> Result<Option<User>, Errno> { panic!("asked a moment later") };
        assert_eq!(users.look_up_with(uid, at(10), asked_too_often).switch, UserSwitch::Unneeded);
        assert_eq!(users.look_up_with(uid, at(20), || Err(Errno::EIO)).switch, UserSwitch::Unneeded);
        let gone = UserSwitch::Refused(format!("Can't find uid {uid}"));
        assert_eq!(users.look_up_with(uid, at(30), || Ok(None)).switch, gone);
        assert_eq!(users.look_up_with(uid, at(40), me).switch, UserSwitch::Unneeded);
        users.clear();
        assert_eq!(users.look_up_with(uid, at(40), || Err(Errno::EIO)).switch, gone);
    }
}
