//! The vocabulary of alerting: what is wrong with a program, how much it matters, and the channels that tell people.
//!
//! Configuration, `watch` and the outbox share it. Pure data; how each crate uses it stands there.

pub mod channel;
pub mod incident;
pub mod operator;
pub mod secret;
