//! Measurements that the rules decide on: an HTTP request, and the memory of processes.

pub mod http;
pub mod memory;
