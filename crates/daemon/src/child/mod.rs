//! Child processes: starting, reading their pipes, signalling and reaping them.

pub mod command;
pub mod exec_errors;
pub mod fcgi_socket;
pub mod identity;
pub mod kill;
pub mod oom;
pub mod pipes;
pub mod reap;
pub(crate) mod setup;
pub mod spawn;
