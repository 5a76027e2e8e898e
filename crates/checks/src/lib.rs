//! Checks and limits of programs: what is asked and measured ([`http`], [`memory`]), and restarts that outlive a kill ([`restart`]).
//!
//! Callers: the listeners httpok and memmon. It decides nothing about programs.

pub mod http;
pub mod memory;
pub mod restart;
