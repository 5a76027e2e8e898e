//! The event listeners of superlance: crashmail, the batch mailers, httpok and memmon, under any supervisord.

pub mod command;
mod details;
mod environment;
mod event_input;
pub mod options;
mod protocol;
pub mod rule;

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the last output did not end with a newline; the originals write none after a mail.
static LINE_IS_UNFINISHED: AtomicBool = AtomicBool::new(false);

/// Writes to stderr, which supervisord logs. Errors are ignored: there is no other place to report them.
pub(crate) fn write_log(text: &str) {
    let mut stderr = io::stderr().lock();
    if !text.is_empty() {
        LINE_IS_UNFINISHED.store(!text.ends_with('\n'), Ordering::Relaxed);
    }
    let _ = stderr.write_all(text.as_bytes());
}

/// Writes lines that the originals do not write, each with `note: ` in front.
pub(crate) fn note(lines: &[String]) {
    let lines: String = lines.iter().map(|line| format!("note: {line}\n")).collect();
    let end = if !lines.is_empty() && LINE_IS_UNFINISHED.load(Ordering::Relaxed) { "\n" } else { "" };
    write_log(&format!("{end}{lines}"));
}

/// One such line.
pub(crate) fn note_line(line: &str) {
    note(&[line.to_owned()]);
}
