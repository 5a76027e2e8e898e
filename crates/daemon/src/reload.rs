//! Prepares a restart before anything is stopped: [`Reload`]. A configuration that cannot be applied stops nothing.
//!
//! ```text
//!   SIGHUP, reload ─▶ read ─▶ try: user, limits, folders, sockets, log ─▶ stop everything ─▶ the next generation
//!                       └── a fault ──┴─▶ one line, a fault for the client; the old configuration goes on
//! ```
//!
//! What was opened is handed to the next generation, so it cannot fail there.

use std::cell::RefCell;
use std::path::Path;

use ironlance_config::{Config, LogTarget, Settings};
use ironlance_core::log_level::Level;
use nix::unistd::{Gid, Uid, getegid, geteuid, setfsgid, setfsuid};
use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::child::identity::{Identity, UserSwitch};
use crate::http::{self, BoundServer, DaemonLog, InheritedSocket};
use crate::log::main_log::MainLog;
use crate::startup::{COMMAND, limits};
use crate::state::retired_pools::InheritedPools;

/// All that the next generation begins with.
pub(crate) struct Reload {
    /// The configuration as it was read when the restart was asked for.
    pub(crate) config: Config,
    /// Its servers, in order.
    pub(crate) sockets: Vec<BoundServer>,
    /// Its main log.
    pub(crate) log: MainLog,
    /// The events that wait when this generation ends.
    pub(crate) pools: InheritedPools,
}

impl Reload {
    /// Tries everything that a start with this configuration needs. `kept` are the sockets of the running generation,
    /// `now` its settings. The error says what cannot be had.
    pub(crate) fn prepare(config: Config, kept: &[InheritedSocket], now: &Settings) -> Result<Self, String> {
        let settings = &config.settings;
        // A daemon starts without the folder for AUTO logs, and says so. It must not be the reason that it never
        // restarts: it is one only where something is lost by the restart.
        let had_no_logs = settings.childlogdir == now.childlogdir && writable(&now.childlogdir).is_err();
        let next = settings.user.as_ref().map(|user| Identity::look_up(user.uid));
        if let Some(UserSwitch::Refused(why)) = next.as_ref().map(|identity| &identity.switch) {
            return Err(why.clone());
        }
        limits::raise(settings.minfds, settings.minprocs)?;
        let _as_the_next = next.as_ref().and_then(FileAccess::of);
        let uses_childlogdir = config.groups.iter().flat_map(|group| &group.programs).any(|program| {
            [&program.stdout, &program.stderr].iter().any(|output| output.logfile == LogTarget::Auto)
        });
        if uses_childlogdir && !had_no_logs {
            writable(&settings.childlogdir)?;
        }
        let complaints = SocketErrors::default();
        let sockets = http::open(&config.servers, kept, &complaints)
            .map_err(|error| complaints.0.take().pop().unwrap_or_else(|| error.to_string()))?;
        let log = MainLog::open(settings, COMMAND).map_err(|error| error.to_string())?;
        Ok(Self { config, sockets, log, pools: InheritedPools::default() })
    }
}

fn writable(folder: &Path) -> Result<(), String> {
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, folder, wanted, AtFlags::EACCESS).map_err(|why| {
        format!("cannot make log files in {}: {}", folder.display(), std::io::Error::from(why))
    })
}

/// While it lives, files are opened as the user of the next generation; otherwise this thread stays root.
struct FileAccess;

impl FileAccess {
    fn of(identity: &Identity) -> Option<Self> {
        let UserSwitch::Switch { gid, .. } = &identity.switch else { return None };
        setfsgid(Gid::from_raw(*gid));
        setfsuid(Uid::from_raw(identity.uid));
        Some(Self)
    }
}

impl Drop for FileAccess {
    fn drop(&mut self) {
        setfsuid(geteuid());
        setfsgid(getegid());
    }
}

/// Collects the errors about sockets; other lines are dropped, as the next generation may never start.
#[derive(Default)]
pub(crate) struct SocketErrors(RefCell<Vec<String>>);

impl DaemonLog for SocketErrors {
    fn enabled(&self, level: Level) -> bool {
        level >= Level::Error
    }

    fn log(&self, level: Level, text: &str) {
        if self.enabled(level) {
            self.0.borrow_mut().push(text.to_owned());
        }
    }
}
