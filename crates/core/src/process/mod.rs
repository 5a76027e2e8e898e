//! One process: its name and state, its lifecycle, how it ended, and the order in which many are started and stopped.

pub mod exit_status;
pub mod lifecycle;
pub mod name;
pub mod oom;
pub mod priority_order;
pub mod selection;
pub mod state;
