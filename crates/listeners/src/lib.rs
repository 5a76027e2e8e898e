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
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether what was said last did not end its line, as the originals leave it after a mail.
static LINE_IS_OPEN: AtomicBool = AtomicBool::new(false);

/// Writes to stderr, which supervisord keeps; when even that is gone, there is nobody left to tell.
pub(crate) fn say(text: &str) {
    let mut stderr = io::stderr().lock();
    if !text.is_empty() {
        LINE_IS_OPEN.store(!text.ends_with('\n'), Ordering::Relaxed);
    }
    let _ = stderr.write_all(text.as_bytes());
}

/// Says something that the originals do not: each line by itself, with `note: ` before it.
pub(crate) fn note(lines: &[String]) {
    let lines: String = lines.iter().map(|line| format!("note: {line}\n")).collect();
    let end = if !lines.is_empty() && LINE_IS_OPEN.load(Ordering::Relaxed) { "\n" } else { "" };
    say(&format!("{end}{lines}"));
}
