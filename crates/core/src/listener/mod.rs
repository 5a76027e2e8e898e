//! Event listeners: the protocol on their stdin and stdout, their pools, and who has subscribed to what.

pub mod backpressure;
pub mod bus;
pub mod name_check;
pub mod pool;
pub mod problem;
pub mod protocol;
