//! The journal, as the configuration asks for it: found, opened, ended.

use std::ffi::OsStr;
use std::path::PathBuf;

use ironlance_config::WatchSummary;
use ironlance_core::journal::JournalEntry;
use ironlance_core::process::lifecycle::DaemonState;
use ironlance_host::state_folder::{self, StateFolderEnv};
use ironlance_host::supervisor_folder::journal_folder;

use super::Supervisor;
use crate::io::journal::Journal;
use crate::state::journal::JournalScope;

impl Supervisor {
    /// The configuration says whether there is to be a journal. One that is open goes on.
    pub(in crate::supervisor) fn set_up_journal(&mut self, watch: Option<WatchSummary>) {
        let Some(watch) = watch else {
            self.end_journal("unwatched");
            return;
        };
        self.state.journal = Some(Box::new(JournalScope { communicating: watch.communicating }));
        match &mut self.io.journal {
            Some(journal) => journal.set_max_bytes(watch.journal_maxbytes),
            None => {
                let folder = self.journal_folder();
                let journal = Journal::new(folder, &self.env.settings.identifier, watch.journal_maxbytes);
                self.io.journal = Some(Box::new(journal));
            }
        }
    }

    /// The daemon ends or restarts. After a fault of its own no end is written: the next start shall tell of it.
    pub(super) fn finish_journal(&mut self) {
        if self.state.is_emergency() {
            return;
        }
        self.end_journal(match self.state.daemon_state {
            DaemonState::Restarting => "restart",
            DaemonState::Running | DaemonState::Shutdown => "shutdown",
        });
    }

    pub(super) fn append_to_journal(&mut self, entry: JournalEntry) {
        let now = self.io.clock.now();
        let line = self.io.journal.as_mut().and_then(|journal| journal.append(now, entry));
        self.log_lines(line.into_iter().collect());
    }

    fn end_journal(&mut self, how: &str) {
        self.state.journal = None;
        let now = self.io.clock.now();
        let line = self.io.journal.take().and_then(|mut journal| journal.stop(now, how));
        self.log_lines(line.into_iter().collect());
    }

    /// Where the journal is: found as a listener of our own user finds its state folder.
    fn journal_folder(&mut self) -> PathBuf {
        let owner = self.env.owner_of(rustix::process::geteuid().as_raw());
        let variable = |name: &str| {
            let configured = self.env.settings.environment.get(name).map(OsStr::new);
            configured.or_else(|| self.env.inherited(name))
        };
        let environment = StateFolderEnv {
            own: None,
            inherited: variable(state_folder::VARIABLE),
            xdg_state_home: variable("XDG_STATE_HOME"),
            home: variable("HOME"),
        };
        let state = state_folder::locate(&environment, &owner).path;
        let config = self.env.host_env.cwd.join(&self.env.config_file);
        journal_folder(&state, &self.env.settings.identifier, &config)
    }
}
