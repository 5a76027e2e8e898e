//! Start-up: what a generation of the daemon has before its owner runs. `command` calls [`start`] for a cold start and
//! after each restart; nothing here knows the owner or the runtime.
//!
//! | step | cold start | after a restart |
//! |---|---|---|
//! | 1 | become the user of `user=` | the same |
//! | 2 | raise the limits for descriptors and processes; a refusal ends the daemon | a refusal is logged |
//! | 3 | open the main log; log the version, then what was found out before | log what was found out before |
//! | 4 | open the sockets | the new sockets take the names of the old ones |
//! | 5 | log which servers there are | the same |
//! | 6 | block the signals and open a descriptor for them | the same |
//! | 7 | go into the background, unless `nodaemon` is set | – |
//! | 8 | remove old AUTO logs, unless `nocleanup` is set | the same |
//! | 9 | write the pidfile, then release the process in the foreground | write the pidfile |
//!
//! Sockets are opened before old logs are removed: if another daemon has the sockets, the logs are its own. Signals are
//! blocked before there is a thread or a child.

pub(crate) mod daemonize;
pub(crate) mod limits;
pub(crate) mod pidfile;
pub(crate) mod privileges;

use std::cell::RefCell;

use ironlance_config::{Config, Notes};
use ironlance_core::log_level::Level;
use nix::unistd::getuid;

use crate::http::{self, BoundServer, DaemonLog};
use crate::log::auto_logs;
use crate::log::main_log::MainLog;
use crate::signals::SignalReceiver;
use daemonize::WaitingParent;
use pidfile::Pidfile;

/// The command's name in the system's log.
pub(crate) const COMMAND: &str = "supervisord";

/// Where a generation begins.
pub(crate) enum StartOrigin {
    /// At the command line. `version` is the first line of the log.
    ColdStart { version: String },
    /// At the end of the generation before, with what the reload has opened. `nofile` is the soft limit of descriptors
    /// that children were given: the daemon's own has been raised since.
    Restart { sockets: Vec<BoundServer>, log: MainLog, nofile: u64 },
}

/// All that a generation runs with.
pub(crate) struct Started {
    pub(crate) config: Config,
    pub(crate) sockets: Vec<BoundServer>,
    pub(crate) log: MainLog,
    pub(crate) signals: SignalReceiver,
    /// The soft limit of descriptors that children are given.
    pub(crate) nofile: u64,
    /// None where it cannot be written.
    pub(crate) pidfile: Option<Pidfile>,
}

/// Goes through the steps above. The error is what the original prints after `Error: `.
pub(crate) fn start(config: Config, origin: StartOrigin) -> Result<Started, String> {
    let settings = &config.settings;
    // There is no log yet.
    let mut notes = config.notes.clone();
    match &settings.user {
        Some(user) => notes.infos.push(privileges::drop_privileges(user.uid)?),
        None if getuid().is_root() => notes.criticals.push(privileges::RUNNING_AS_ROOT.into()),
        None => {}
    }
    let raised = limits::raise(settings.minfds, settings.minprocs);
    let to_background = matches!(origin, StartOrigin::ColdStart { .. }) && !settings.nodaemon;
    let (mut log, sockets, nofile) = match origin {
        StartOrigin::ColdStart { version } => {
            let raised = raised?;
            notes.infos.extend(raised.infos);
            let mut log = MainLog::open(settings, COMMAND).map_err(|error| error.to_string())?;
            log.log(Level::Info, &version);
            log_notes(&notes, &mut log);
            let opened = http::open(&config.servers, &[], &RefCell::new(&mut log));
            (log, opened.map_err(|error| error.to_string())?, raised.nofile)
        }
        StartOrigin::Restart { mut sockets, mut log, nofile } => {
            // It was tried before the restart, but others may have used up the processes. The old limits stay.
            notes.criticals.extend(raised.err());
            log_notes(&notes, &mut log);
            sockets.iter_mut().for_each(|socket| socket.take_over_path(&RefCell::new(&mut log)));
            (log, sockets, nofile.max(settings.minfds))
        }
    };
    let daemon_log = RefCell::new(&mut log);
    sockets.iter().for_each(|socket| socket.log_opened(&config.interfaces, &daemon_log));
    let signals = SignalReceiver::new().map_err(|error| format!("cannot take signals: {error}"))?;
    let log_line = &mut |level, line: &str| log.log(level, line);
    let parent = if to_background {
        let forked = daemonize::daemonize(settings.directory.as_deref(), settings.umask, log_line);
        Some(forked.map_err(|error| format!("cannot go into the background: {error}"))?)
    } else {
        None
    };
    if !settings.nocleanup {
        let warnings = auto_logs::remove_old(&settings.childlogdir, &settings.identifier);
        warnings.iter().for_each(|line| log_line(Level::Warn, line));
    }
    let pidfile = Pidfile::write(&settings.pidfile, log_line);
    parent.into_iter().for_each(WaitingParent::release);
    Ok(Started { config, sockets, log, signals, nofile, pidfile })
}

fn log_notes(notes: &Notes, log: &mut MainLog) {
    let lines =
        [(Level::Critical, &notes.criticals), (Level::Warn, &notes.warnings), (Level::Info, &notes.infos)];
    for (level, lines) in lines {
        lines.iter().for_each(|line| log.log(level, line));
    }
}

/// The main log before the owner has it.
impl DaemonLog for RefCell<&mut MainLog> {
    fn enabled(&self, level: Level) -> bool {
        self.borrow().enabled(level)
    }

    fn log(&self, level: Level, text: &str) {
        self.borrow_mut().log(level, text);
    }
}

#[cfg(test)]
mod tests;
