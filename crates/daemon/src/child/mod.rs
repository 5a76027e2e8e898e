//! Child processes: how they are started, what they write, how they end.

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
