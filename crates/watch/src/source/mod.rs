//! Where inputs come from: events on standard input, the journal, and the supervisor itself.

pub mod event_pipe;
pub(crate) mod feed;
pub(crate) mod supervisor;
pub(crate) mod translation;
