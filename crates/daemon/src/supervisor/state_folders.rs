//! State folders of event listeners: found when a listener starts, made where its user cannot make them, and listed.

use std::ffi::OsStr;
use std::path::Path;

use ironlance_config::listener_command::{self, NAMES};
use ironlance_core::log_level::Level;
use ironlance_host::state_folder;

use super::Supervisor;
use crate::child::command::ResolvedCommand;
use crate::state::ids::ProcessId;
use crate::state::process_table::Process;
use crate::state::state_folder::ListenerStateFolder;
use crate::view::outboxes::StateFolderView;

impl Supervisor {
    /// Finds the state folder for a listener that is about to be started. The log says once for each reason why alerts
    /// cannot be kept.
    pub(super) fn find_state_folder(&mut self, id: ProcessId, resolved: &ResolvedCommand) {
        let Some(process) = self.state.table.process(id).filter(|process| process.is_listener()) else {
            return;
        };
        let uid = process.program().uid.unwrap_or_else(|| rustix::process::geteuid().as_raw());
        let owner = self.env.owner_of(uid);
        let Some(process) = self.state.table.process(id) else { return };
        let folder = state_folder::locate(&self.state_variables(process), &owner);
        let is_ours = is_ours(&resolved.file);
        let found = ListenerStateFolder {
            folder,
            owner,
            is_our_binary: is_ours,
            names_our_binary: is_ours || names_our_listener(&resolved.argv),
        };
        let name = process.namespec().to_string();
        let before = process.state_folder.as_deref().and_then(ListenerStateFolder::trouble);
        let line = found.trouble().filter(|trouble| before != Some(*trouble)).map(|trouble| {
            format!(
                "the listener {name} has no state folder, so its alerts wait in memory only: {trouble}; set \
                 IRONLANCE_STATE in its environment= to a folder of {}",
                found.owner.name
            )
        });
        if let Some(process) = self.state.table.process_mut(id) {
            process.state_folder = Some(Box::new(found));
        }
        if let Some(line) = line {
            self.io.log.log(Level::Warn, &line);
        }
    }

    fn state_variables<'a>(&'a self, process: &'a Process) -> state_folder::StateFolderEnv<'a> {
        let program = &process.program().environment;
        let own = |name: &str| program.get(name).map(OsStr::new);
        // A value in [supervisord] is meant for no program in particular, and every program has it.
        let shared = self.env.settings.environment.get(state_folder::VARIABLE);
        let is_shared = shared.is_some() && shared == program.get(state_folder::VARIABLE);
        let state = own(state_folder::VARIABLE);
        let inherited = |name: &str| self.env.inherited(name);
        state_folder::StateFolderEnv {
            own: state.filter(|_| !is_shared),
            inherited: state.or_else(|| inherited(state_folder::VARIABLE)),
            xdg_state_home: own("XDG_STATE_HOME").or_else(|| inherited("XDG_STATE_HOME")),
            home: own("HOME").or_else(|| inherited("HOME")),
        }
    }

    /// Every state folder of a listener that has been started, with those that are known to use it.
    pub(super) fn state_folders(&self) -> Vec<StateFolderView> {
        let mut all: Vec<StateFolderView> = Vec::new();
        for (_, process) in self.state.table.by_name() {
            let Some(found) = &process.state_folder else { continue };
            let (path, uid) = (&found.folder.path, found.owner.uid);
            let known = all.iter().position(|view| view.path == *path && view.uid == uid);
            let at = known.unwrap_or_else(|| {
                all.push(StateFolderView {
                    path: path.clone(),
                    uid,
                    user: found.owner.name.clone(),
                    listeners: Vec::new(),
                    is_used: false,
                    trouble: None,
                });
                all.len() - 1
            });
            let view = &mut all[at];
            if found.names_our_binary {
                view.listeners.push(process.namespec().clone());
            }
            view.is_used |= found.is_our_binary;
            view.trouble = view.trouble.take().or_else(|| found.trouble().map(str::to_owned));
        }
        all
    }
}

/// Whether a command line names a listener of ours as an argument of another program, except Python with superlance.
fn names_our_listener(argv: &[String]) -> bool {
    let is_named = |word: &String| NAMES.into_iter().chain(["ironlance"]).any(|name| word.contains(name));
    listener_command::parse_command(argv).is_none() && argv.iter().any(is_named)
}

/// Whether a command is our own binary, under any name.
fn is_ours(file: &Path) -> bool {
    let id = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
    };
    let same = id(file).is_some_and(|command| id(Path::new("/proc/self/exe")) == Some(command));
    // A newer binary may have taken the place of the one that runs.
    let name = || std::fs::canonicalize(file).ok()?.file_name().map(OsStr::to_owned);
    same || name().is_some_and(|name| name == "ironlance")
}

#[cfg(test)]
mod tests {
    use super::names_our_listener;

    #[test]
    fn a_script_that_names_a_listener_of_ours_may_keep_alerts_and_others_do_not() {
        let named = |line: &str| names_our_listener(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(named("sh -c exec_crashmail") && named("/app/run-memmon.sh"));
        assert!(!named("python3 /app/notify.py") && !named("cat"));
        assert!(!named("python3 -m superlance.crashmail -a"), "superlance keeps nothing");
    }
}
