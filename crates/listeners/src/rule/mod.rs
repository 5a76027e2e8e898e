//! When something is worth an alert or a restart: pure judgements on events and readings.

pub mod crash;
pub mod http;
pub mod memory;
pub mod pending_restart;
pub mod reminder;
pub mod unused_events;
