//! Time as an argument: when something is due. Nothing here reads a clock.

pub mod backoff;
pub mod tick;
pub mod window;
