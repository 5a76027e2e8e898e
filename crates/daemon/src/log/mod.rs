//! Logs of children and of the daemon itself: files with rotation, streams, syslog; writing and reading.

pub mod auto_logs;
pub mod daemon_stdout;
pub mod main_log;
pub mod read_back;
pub mod rotating_file;
mod sink;
pub mod syslog;
