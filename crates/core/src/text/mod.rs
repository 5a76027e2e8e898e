//! Text primitives: escape sequences, control characters, Python's repr and shlex, suggestions.

pub mod ansi;
pub mod escape;
pub mod python;
pub mod shlex;
pub mod suggest;
