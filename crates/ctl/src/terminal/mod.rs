//! The person at the terminal: lines of input, prompts, ^C.

pub(crate) mod interrupt;
pub(crate) mod line_reader;
pub(crate) mod prompt;
