//! Event listeners: the protocol on their stdin and stdout, their pools, subscriptions and back-pressure.

pub mod backpressure;
pub mod bus;
pub mod name_check;
pub mod pool;
pub mod problem;
pub mod protocol;
