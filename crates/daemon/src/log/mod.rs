//! Logs of children and of the daemon itself: files with rotation, streams, syslog; writing and reading.

pub(crate) mod auto_logs;
pub(crate) mod daemon_stdout;
pub(crate) mod main_log;
pub(crate) mod read_back;
pub(crate) mod rotating_file;
mod sink;
pub(crate) mod syslog;
