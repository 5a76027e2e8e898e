//! Input from the user: lines of stdin, prompts, ^C.

pub(crate) mod interrupt;
pub(crate) mod line_reader;
pub(crate) mod prompt;
