//! How a program is found to be unwell: an HTTP request, its memory.

pub mod http;
pub mod memory;
