//! What a start does before the owner runs, a file for each step.

pub(crate) mod daemonize;
pub(crate) mod limits;
pub(crate) mod privileges;
