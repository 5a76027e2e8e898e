//! What the owner only reads, and replaces when the configuration is read again: [`Env`].

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::rc::Rc;

use ironlance_config::{self as config, HostEnv, Overrides, Settings, WatchSummary};
use ironlance_core::GroupName;
use ironlance_host::local_time::LocalClock as LocalTime;
use ironlance_host::state_folder::UserIdentity;

use crate::child::identity::IdentityCache;

/// The configuration, the environment, and users that were looked up.
pub(super) struct Env {
    pub(super) settings: Rc<Settings>,
    /// The groups of the configuration as it was last read; those in service are in the process table.
    pub(super) configured_groups: Vec<Rc<config::Group>>,
    /// The pool that no section names, where the configuration asks for alerts.
    pub(super) watch_pool: Option<Rc<config::Group>>,
    /// Why listeners cannot do their work as they are configured there, by their pools.
    pub(super) listener_warnings: Vec<(GroupName, String)>,
    /// What the alert sections ask of the daemon.
    pub(super) watch: Option<WatchSummary>,
    /// How the servers are configured, in the order of their sockets.
    pub(super) servers: Vec<config::HttpServer>,
    pub(super) config_file: PathBuf,
    pub(super) overrides: Overrides,
    pub(super) host_env: HostEnv,
    /// The daemon's environment, which children inherit.
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) server_url: Option<String>,
    /// The soft limit of descriptors that children are given.
    pub(super) nofile_of_children: Option<u64>,
    /// Users that were looked up.
    pub(super) identities: IdentityCache,
    /// The same users, as owners of state folders.
    pub(super) owners: HashMap<u32, Rc<UserIdentity>>,
    pub(super) local_time: LocalTime,
}

impl Env {
    /// The value of a variable that children inherit.
    pub(super) fn inherited(&self, name: &str) -> Option<&OsStr> {
        let found = self.environment.iter().find(|(key, _)| key.as_os_str() == OsStr::new(name));
        found.map(|(_, value)| value.as_os_str())
    }

    /// A user as the owner of state folders; remembered until the configuration is read again, as identities are.
    pub(super) fn owner_of(&mut self, uid: u32) -> Rc<UserIdentity> {
        Rc::clone(self.owners.entry(uid).or_insert_with(|| Rc::new(UserIdentity::from_uid(uid))))
    }
}
