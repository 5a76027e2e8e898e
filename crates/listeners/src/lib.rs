//! The event listeners of superlance, under any supervisord.

pub mod command;
pub mod details;
pub mod environment;
pub mod options;
pub mod pending_restarts;
pub mod probe;
pub mod protocol;
pub mod rule;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether what was said last did not end its line, as the originals leave it after a mail.
static LINE_IS_UNFINISHED: AtomicBool = AtomicBool::new(false);

/// Writes to stderr, which supervisord keeps; when even that is gone, there is nobody left to tell.
pub(crate) fn write_log(text: &str) {
    let mut stderr = io::stderr().lock();
    if !text.is_empty() {
        LINE_IS_UNFINISHED.store(!text.ends_with('\n'), Ordering::Relaxed);
    }
    let _ = stderr.write_all(text.as_bytes());
}

/// Says something that the originals do not: each line by itself, with `note: ` before it.
pub(crate) fn note(lines: &[String]) {
    let lines: String = lines.iter().map(|line| format!("note: {line}\n")).collect();
    let end = if !lines.is_empty() && LINE_IS_UNFINISHED.load(Ordering::Relaxed) { "\n" } else { "" };
    write_log(&format!("{end}{lines}"));
}
