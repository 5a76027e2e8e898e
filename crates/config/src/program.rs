//! One process of a `[program:x]`, `[eventlistener:x]` or `[fcgi-program:x]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ironlance_core::ProcessName;
use ironlance_core::process::lifecycle::{Autorestart, Policy, ProcessRole};

/// A process as it is to be run; a section with `numprocs=3` gives three.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Unique within its group.
    pub name: ProcessName,
    /// The command line, not yet split into words.
    pub command: String,
    /// Where to run.
    pub directory: Option<PathBuf>,
    /// The umask of the process; the daemon's where there is none.
    pub umask: Option<u32>,
    /// Lower is started earlier and stopped later.
    pub priority: i64,
    /// Start it when the daemon starts.
    pub autostart: bool,
    /// Whether to start it again when it has ended.
    pub autorestart: Autorestart,
    /// Seconds it must be up to count as started.
    pub startsecs: i64,
    /// How often a start that failed is tried again.
    pub startretries: i64,
    /// The user to run as.
    pub uid: Option<u32>,
    /// What becomes of its stdout.
    pub stdout: OutputConfig,
    /// What becomes of its stderr; [`LogTarget::None`] where it is redirected.
    pub stderr: OutputConfig,
    /// The signal that asks it to end.
    pub stopsignal: i32,
    /// Seconds until SIGKILL.
    pub stopwaitsecs: i64,
    /// Send `stopsignal` to the whole process group.
    pub stopasgroup: bool,
    /// Send SIGKILL to the whole process group.
    pub killasgroup: bool,
    /// The statuses that are expected of it.
    pub exitcodes: Vec<i32>,
    /// Its stderr is its stdout.
    pub redirect_stderr: bool,
    /// That of `[supervisord]` and, over it, its own.
    pub environment: BTreeMap<String, String>,
    /// What to say in `SUPERVISOR_SERVER_URL`; `None` is the daemon's own server, and with an empty text
    /// there is no such variable.
    pub serverurl: Option<String>,
}

/// What becomes of one of a process's two streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputConfig {
    /// The file.
    pub logfile: LogTarget,
    /// In bytes; 0 is no limit.
    pub maxbytes: u64,
    /// How many old files are kept.
    pub backups: u32,
    /// The most bytes that are taken between two capture tokens; 0 is no capturing.
    pub capture_maxbytes: u64,
    /// Emit PROCESS_LOG events.
    pub events_enabled: bool,
    /// Send each line to syslog.
    pub syslog: bool,
}

/// The log file of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// A file of a made-up name in `childlogdir`.
    Auto,
    /// No file.
    None,
    /// This file; as given, `~` resolved.
    File(PathBuf),
}

impl Program {
    /// The part of it that the state machine goes by; what is below zero counts as zero.
    pub fn policy(&self) -> Policy {
        let seconds = |value: i64| Duration::from_secs(u64::try_from(value).unwrap_or(0).min(MAX_SECONDS));
        Policy {
            autostart: self.autostart,
            autorestart: self.autorestart,
            startsecs: seconds(self.startsecs),
            startretries: u32::try_from(self.startretries.max(0)).unwrap_or(u32::MAX),
            exitcodes: self.exitcodes.clone(),
            stopsignal: self.stopsignal,
            stopwaitsecs: seconds(self.stopwaitsecs),
            stopasgroup: self.stopasgroup,
            killasgroup: self.killasgroup,
            role: ProcessRole::default(),
        }
    }
}

/// A hundred years: longer is for ever, and a sum of two times must not overflow.
const MAX_SECONDS: u64 = 100 * 366 * 24 * 60 * 60;
