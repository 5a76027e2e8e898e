//! Checks and limits of programs: what is asked and measured ([`http`], [`memory`]), the process that does so for `watch`
//! ([`probe`]), and restarts that outlive a kill ([`restart`]).
//!
//! Callers: the listeners httpok and memmon, and `watch`. It decides nothing about programs.

pub mod http;
pub mod memory;
pub mod probe;
pub mod restart;
