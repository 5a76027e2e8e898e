//! The settings by which one process is started, restarted and stopped.

use std::time::Duration;

use crate::signal;

/// The settings of a program that its life cycle follows; names as in supervisord.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Start it with the daemon.
    pub autostart: bool,
    /// Whether to start it again when it ended by itself.
    pub autorestart: Autorestart,
    /// How long it must stay up to count as RUNNING.
    pub startsecs: Duration,
    /// How many further tries a failed start gets.
    pub startretries: u32,
    /// Exit statuses that are expected.
    pub exitcodes: Vec<i32>,
    /// The signal that requests its stop.
    pub stopsignal: i32,
    /// How long to wait for its end before SIGKILL.
    pub stopwaitsecs: Duration,
    /// Send `stopsignal` to its process group.
    pub stopasgroup: bool,
    /// Send SIGKILL to its process group.
    pub killasgroup: bool,
    /// What it is, where that matters.
    pub role: ProcessRole,
}

/// What counts as a successful start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessRole {
    /// It stays up.
    #[default]
    Program,
    /// It is an event listener: it says READY, however long that takes.
    Listener,
}

/// When a program that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Autorestart {
    /// Never.
    Never,
    /// When its exit status is none of `exitcodes`.
    Unexpected,
    /// Always.
    Always,
}

impl Default for Policy {
    /// The defaults of the original.
    fn default() -> Self {
        Self {
            autostart: true,
            autorestart: Autorestart::Unexpected,
            startsecs: Duration::from_secs(1),
            startretries: 3,
            exitcodes: vec![0],
            stopsignal: signal::TERM,
            stopwaitsecs: Duration::from_secs(10),
            stopasgroup: false,
            killasgroup: false,
            role: ProcessRole::Program,
        }
    }
}
