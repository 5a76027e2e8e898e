//! The vocabulary and the machines of process supervision: names, states, events and their wire form.
//!
//! Nothing in here does I/O, reads a clock or looks at the environment.

pub mod alerting;
pub mod capture;
pub mod cli;
pub mod event;
pub mod journal;
pub mod listener;
pub mod log_level;
pub mod process;
pub mod redact;
pub mod signal;
pub mod text;
pub mod time;

pub use event::Event;
pub use event::envelope::Envelope;
pub use process::name::{GroupName, Namespec, ProcessName};
pub use process::selection::Selection;
pub use process::state::ProcessState;
