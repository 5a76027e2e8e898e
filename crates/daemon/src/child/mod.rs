//! Child processes: how they are started, what they write, how they end.

pub mod command;
pub mod fcgi;
pub mod identity;
pub mod kill;
pub mod oom;
pub mod pipes;
pub mod reap;
pub mod report;
pub(crate) mod setup;
pub mod spawn;
