//! Supervisor's XML-RPC interface: values, faults, reading and writing both sides, typed structs, and a client.

pub mod api;
pub mod client;
pub mod fault;
pub mod read;
pub mod text_encoder;
pub mod value;
pub mod write;

pub use api::{ProcessInfo, Record};
pub use client::{CallError, Client};
pub use fault::{Fault, FaultKind};
pub use value::{Members, Value};
