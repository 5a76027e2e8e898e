//! Listeners of ours that would have no place on disk for their alerts.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use ironlance_core::{GroupName, text::shlex};
use ironlance_host::state_folder::{StateFolder, StateFolderEnv, UserIdentity, VARIABLE, predict};

use crate::config::Config;
use crate::group::GroupKind;
use crate::host_env::HostEnv;
use crate::listener_command::NAMES;
use crate::program::Program;

/// The most listeners that are checked; each may cost a look into the user database.
const MOST: usize = 1000;

/// Where the listeners of a pool keep their alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerOutbox {
    /// The pool.
    pub pool: GroupName,
    /// Their state folder.
    pub state: StateFolder,
}

/// The state folders of the listeners that send alerts, if our supervisord were started now by the current user.
///
/// Nothing is made. A supervisord that starts as root makes folders where its listeners' users cannot: those are `granted`.
pub fn listener_outboxes(config: &Config, machine: &HostEnv) -> Vec<ListenerOutbox> {
    let daemon = config.settings.user.as_ref().map_or(machine.uid, |user| user.uid);
    let listeners = config.groups.iter().filter(|group| matches!(group.kind, GroupKind::Listeners { .. }));
    let programs = listeners.flat_map(|group| group.programs.iter().map(move |program| (group, program)));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (group, program) in programs.filter(|(_, program)| is_ours(program)).take(MOST) {
        let uid = program.uid.unwrap_or(daemon);
        // Without root it cannot run as another user, which is reported elsewhere.
        if uid != daemon && daemon != 0 {
            continue;
        }
        let state = folder(config, machine, program, uid, daemon);
        if seen.insert((&group.name, state.path.clone(), state.problem.clone())) {
            found.push(ListenerOutbox { pool: group.name.clone(), state });
        }
    }
    found
}

/// A line for each listener whose alerts would wait in memory only.
pub fn listeners_without_outbox(config: &Config, machine: &HostEnv) -> Vec<String> {
    let found = listener_outboxes(config, machine).into_iter();
    let lines = found.filter_map(|ListenerOutbox { pool, state }| {
        let trouble = state.problem?;
        Some(format!(
            "the listener {pool}: its alerts wait in memory only: {trouble}; set {VARIABLE} in its environment= to a \
             folder of its user"
        ))
    });
    lines.collect()
}

fn folder(config: &Config, machine: &HostEnv, program: &Program, uid: u32, daemon: u32) -> StateFolder {
    let shared = &config.settings.environment;
    let own = program.environment.get(VARIABLE);
    let is_shared = own.is_some() && own == shared.get(VARIABLE);
    let inherited = |name: &str| {
        machine.environment.iter().find(|(key, _)| key == name).map(|(_, value)| OsStr::new(value))
    };
    let given = |name: &str| program.environment.get(name).map(OsStr::new).or_else(|| inherited(name));
    let environment = StateFolderEnv {
        own: own.filter(|_| !is_shared).map(OsStr::new),
        inherited: own.map(OsStr::new).or_else(|| inherited(VARIABLE)),
        xdg_state_home: given("XDG_STATE_HOME"),
        home: given("HOME"),
    };
    predict(&environment, &UserIdentity::from_uid(uid), daemon)
}

fn is_ours(program: &Program) -> bool {
    let words = shlex::split(&program.command).unwrap_or_default();
    let name = words.first().and_then(|word| Path::new(word).file_name()?.to_str());
    name.is_some_and(|name| name == "ironlance" || NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Overrides, load};

    #[test]
    fn a_listener_of_ours_that_has_no_place_for_its_alerts_is_told_of_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.conf");
        let nowhere = "environment=IRONLANCE_STATE=\"/dev/null/state\"";
        let listener = |name: &str, command: &str, more: &str| {
            format!("[eventlistener:{name}]\ncommand={command}\nevents=TICK_60\n{more}\n")
        };
        let text = [
            "[supervisord]\n".to_owned(),
            listener("lost", "/usr/bin/crashmail -a", nowhere),
            listener("foreign", "python mine.py", nowhere),
            listener("well", "memmon -a 1GB", ""),
            format!("[program:crashmail]\ncommand=crashmail -a\n{nowhere}\n"),
        ];
        fs::write(&file, text.concat()).unwrap();
        let state = folder.path().join("state").display().to_string();
        let machine = HostEnv { environment: vec![(VARIABLE.into(), state)], ..HostEnv::current() };
        let config = load(&file, &Overrides::default(), &machine).unwrap();
        let lines = listeners_without_outbox(&config, &machine);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("the listener lost: its alerts wait in memory only: "), "{lines:?}");
        assert!(!folder.path().join("state").exists());
    }
}
