//! Logs: of children and of the daemon itself, to files, streams and syslog, and read back.

pub mod auto;
pub mod file;
pub mod main;
pub mod own_stdout;
mod sink;
pub mod syslog;
pub mod tail;
