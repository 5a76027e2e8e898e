//! Everything of the owner that has a descriptor: pipes, their poller, logs of children.

pub(crate) mod host_lookup;
pub(crate) mod log_backlog;
pub(crate) mod output;
pub(crate) mod poller;
pub(crate) mod read_pause;
pub(crate) mod stdin;
pub(crate) mod token;
