//! One connection: its state, its slot among all connections of a server, and its bytes with time limits.

pub(super) mod eviction;
pub(super) mod slots;
pub(super) mod state;
pub(super) mod timed_stream;
