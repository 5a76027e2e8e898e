//! The event listeners of superlance, under any supervisord.

pub mod command;
pub mod facts;
pub mod listener;
pub mod options;
pub mod probe;
pub mod restart;
pub mod rule;
pub mod surroundings;

use std::io::{self, Write};

/// Writes to stderr, which supervisord keeps; when even that is gone, there is nobody left to tell.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
