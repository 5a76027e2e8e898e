//! Logs: of children and of the daemon itself, to files, streams and syslog, and read back.

pub mod auto_logs;
pub mod daemon_stdout;
pub mod main_log;
pub mod read_back;
pub mod rotating_file;
mod sink;
pub mod syslog;
