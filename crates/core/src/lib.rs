//! The vocabulary of process supervision: names, states, events and their wire form.
//!
//! Nothing in here does I/O, reads a clock or looks at the environment.

pub mod aim;
pub mod ansi;
pub mod args;
pub mod bus;
pub mod capture;
pub mod envelope;
pub mod event;
pub mod exit;
pub mod handshake;
pub mod kind;
pub mod level;
pub mod lifecycle;
pub mod memory;
pub mod name;
pub mod nearest;
pub mod notice;
pub mod order;
pub mod plain;
pub mod pool;
pub mod python;
pub mod redact;
pub mod selection;
pub mod shlex;
pub mod signal;
pub mod state;
pub mod tally;
pub mod tick;

pub use envelope::Envelope;
pub use event::Event;
pub use name::{GroupName, Namespec, ProcessName};
pub use selection::Selection;
pub use state::ProcessState;
