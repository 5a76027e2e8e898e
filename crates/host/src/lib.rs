//! What the machine tells its listeners and its daemon alike: local time, names of errors, resident pages, state folders.

pub mod clock;
pub mod errno;
pub mod heap;
pub mod name_service;
pub mod residency;
pub mod state;
