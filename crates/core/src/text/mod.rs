//! Text primitives, each in one place: escape sequences, control characters, patterns, percent-encoding, Python's repr and
//! shlex, comparison of secrets, suggestions, texts of panics.

pub mod ansi;
pub mod checked_line;
pub mod constant_time;
pub mod escape;
pub mod glob;
pub mod panic_message;
pub mod python;
pub mod shlex;
pub mod suggest;
pub mod url_encoding;
