//! The user that a listener runs as, as far as files are concerned.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

/// A user with groups and home, by the user database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIdentity {
    /// The user's number.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups.
    pub groups: Vec<u32>,
    /// The name; the number where the database has none.
    pub name: String,
    /// The home folder of the database.
    pub home: Option<PathBuf>,
}

impl UserIdentity {
    /// Looks the user up; reads the user database, which may take time where that is a server.
    pub fn from_uid(uid: u32) -> Self {
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
            return Self { uid, gid: uid, groups: Vec::new(), name: uid.to_string(), home: None };
        };
        let name = CString::new(user.name.as_bytes()).unwrap_or_default();
        let groups = getgrouplist(&name, user.gid).unwrap_or_default();
        Self {
            uid,
            gid: user.gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            name: user.name,
            home: Some(user.dir),
        }
    }

    /// The user that this process acts as.
    pub fn current() -> Self {
        Self::from_uid(geteuid().as_raw())
    }

    /// Whether the kernel lets this user pass all modes.
    pub(super) const fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The name as that of a folder: the number where the name has anything but letters, digits, `_`, `-` and dots.
    pub(super) fn folder(&self) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let plain = self.name.bytes().all(is_plain) && self.name.len() <= 64;
        if plain && !self.name.is_empty() && !self.name.starts_with('.') {
            self.name.clone()
        } else {
            format!("uid-{}", self.uid)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_lead_elsewhere_is_no_name_of_a_folder() {
        let named = |name: &str| UserIdentity {
            uid: 7,
            gid: 7,
            groups: Vec::new(),
            name: name.to_owned(),
            home: None,
        };
        assert_eq!(named("www-data").folder(), "www-data");
        for name in ["", ".", "..", ".x", "a/b", "DOM\\joe", "é", "a b"] {
            assert_eq!(named(name).folder(), "uid-7", "{name:?}");
        }
    }

    #[test]
    fn a_user_that_is_in_no_database_has_a_number_and_no_home() {
        let nobody = UserIdentity::from_uid(3_999_999_998);
        assert_eq!((nobody.name.as_str(), nobody.home), ("3999999998", None));
        assert_eq!(UserIdentity::from_uid(0).name, "root");
    }
}
