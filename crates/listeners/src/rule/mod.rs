//! When something is worth an alert or a restart, and in which words: pure decisions on events and readings.

pub mod batch;
pub mod crash;
pub mod filter;
pub mod http;
pub mod http_restart;
pub mod memory;
pub mod reminder;
pub mod trigger;
pub mod unused_events;
