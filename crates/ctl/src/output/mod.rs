//! What goes to stdout: the buffer and what stdout is, styles and columns, JSON. Knows nothing of supervisord.

pub(crate) mod buffer;
pub(crate) mod json;
pub(crate) mod style;
