//! Supervisor's XML-RPC interface: values, faults, marshalling, typed calls and a client.

pub mod client;
pub mod encode;
pub mod fault;
pub mod info;
pub mod read;
pub mod value;
pub mod write;

pub use client::{CallError, Supervisor};
pub use fault::{Fault, FaultKind};
pub use info::ProcessInfo;
pub use value::{Members, Value};
