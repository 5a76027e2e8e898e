//! The vocabulary of process supervision: names, states, events and their wire form.
//!
//! Nothing in here does I/O, reads a clock or looks at the environment.

pub mod envelope;
pub mod event;
pub mod handshake;
pub mod name;
pub mod python;
pub mod selection;
pub mod state;

pub use envelope::Envelope;
pub use event::Event;
pub use name::{GroupName, Namespec, ProcessName};
pub use selection::Selection;
pub use state::ProcessState;
