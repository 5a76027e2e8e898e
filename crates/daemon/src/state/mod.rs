//! What the owner knows: plain data.

pub(crate) mod clock;
pub(crate) mod congestion;
pub(crate) mod event_log;
pub(crate) mod exit_record;
pub(crate) mod ids;
pub(crate) mod pending_calls;
pub(crate) mod process_table;
pub(crate) mod state_folder;
