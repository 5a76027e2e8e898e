//! When something is worth an alert or a restart: pure judgements on events and readings.

pub mod crash;
pub mod debt;
pub mod http;
pub mod memory;
pub mod remind;
pub mod subscription;
