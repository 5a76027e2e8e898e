//! `[supervisord]`: what concerns the daemon itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ironlance_core::log_level::Level;

/// The settings of the daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The least limit of file descriptors (RLIMIT_NOFILE).
    pub minfds: u64,
    /// The least limit of processes (RLIMIT_NPROC).
    pub minprocs: u64,
    /// Where to change to when daemonized; as given, `~` resolved.
    pub directory: Option<PathBuf>,
    /// The user to run as.
    pub user: Option<UserRef>,
    /// Of the daemon and, where they say nothing, of its children.
    pub umask: u32,
    /// Where the daemon's own log goes.
    pub logfile: MainLogTarget,
    /// In bytes; 0 is no limit.
    pub logfile_maxbytes: u64,
    /// How many old logs are kept.
    pub logfile_backups: u32,
    /// What is not logged: anything below.
    pub loglevel: Level,
    /// Absolute.
    pub pidfile: PathBuf,
    /// The name of this supervisord in events and over XML-RPC.
    pub identifier: String,
    /// Stay in the foreground.
    pub nodaemon: bool,
    /// Do not repeat the log on stdout.
    pub silent: bool,
    /// Where AUTO logs go; absolute.
    pub childlogdir: PathBuf,
    /// Keep the AUTO logs of earlier runs.
    pub nocleanup: bool,
    /// Take the escape sequences out of what children write.
    pub strip_ansi: bool,
    /// What every child gets; each [`Program`](crate::Program) has it merged into its own already.
    pub environment: BTreeMap<String, String>,
}

/// Where the daemon's own log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainLogTarget {
    /// `logfile=syslog`.
    Syslog,
    /// An absolute path.
    File(PathBuf),
}

/// A user that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRef {
    /// The number.
    pub uid: u32,
    /// The name, if the user was given by name.
    pub name: Option<String>,
}

/// What the command line gave; it goes before what stands in the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// `-a`, `--minfds`
    pub minfds: Option<u64>,
    /// `--minprocs`
    pub minprocs: Option<u64>,
    /// `-d`, `--directory`
    pub directory: Option<PathBuf>,
    /// `-u`, `--user`: name or number, not looked up yet
    pub user: Option<String>,
    /// `-m`, `--umask`
    pub umask: Option<u32>,
    /// `-l`, `--logfile`: `syslog` or a path, `~` resolved
    pub logfile: Option<String>,
    /// `-y`, `--logfile_maxbytes`
    pub logfile_maxbytes: Option<u64>,
    /// `-z`, `--logfile_backups`
    pub logfile_backups: Option<u32>,
    /// `-e`, `--loglevel`
    pub loglevel: Option<Level>,
    /// `-j`, `--pidfile`: `~` resolved
    pub pidfile: Option<String>,
    /// `-i`, `--identifier`
    pub identifier: Option<String>,
    /// `-n`, `--nodaemon`
    pub nodaemon: Option<bool>,
    /// `-s`, `--silent`
    pub silent: Option<bool>,
    /// `-q`, `--childlogdir`
    pub childlogdir: Option<PathBuf>,
    /// `-k`, `--nocleanup`
    pub nocleanup: Option<bool>,
    /// `-t`, `--strip_ansi`
    pub strip_ansi: Option<bool>,
}
