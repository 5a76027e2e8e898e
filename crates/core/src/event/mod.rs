//! Events: their types, bodies and headers, as Supervisor's event listeners get them.

pub mod counts;
pub mod decode;
pub mod envelope;
pub mod kind;
pub mod notice;
