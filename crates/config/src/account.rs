//! The user database: names and numbers of users and groups that exist.

use std::cell::RefCell;
use std::collections::HashMap;

use nix::unistd::{Gid, Group, Uid, User};

use crate::value::number::integer;

/// A user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: u32,
    /// The number of the user's own group.
    pub gid: u32,
}

/// Looks up each user and group once.
#[derive(Debug, Default)]
pub struct Accounts {
    users: RefCell<HashMap<String, Option<Account>>>,
    groups: RefCell<HashMap<String, Option<u32>>>,
}

impl Accounts {
    /// The user of this name or number.
    pub fn user(&self, text: &str) -> Option<Account> {
        *self.users.borrow_mut().entry(text.to_owned()).or_insert_with(|| {
            let found = match integer(text) {
                Ok(number) => User::from_uid(Uid::from_raw(id(number)?)),
                Err(_) => User::from_name(text),
            };
            found.ok().flatten().map(|user| Account { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
        })
    }

    /// The number of the group of this name or number.
    pub fn group(&self, text: &str) -> Option<u32> {
        *self.groups.borrow_mut().entry(text.to_owned()).or_insert_with(|| {
            let found = match integer(text) {
                Ok(number) => Group::from_gid(Gid::from_raw(id(number)?)),
                Err(_) => Group::from_name(text),
            };
            found.ok().flatten().map(|group| group.gid.as_raw())
        })
    }
}

/// The highest number means "nobody" to the system's calls.
fn id(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|id| *id != u32::MAX)
}
