//! The output of a mailer: [`OutputRelay`] passes it to our stderr line by line without secrets, and keeps the last line as the reason.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ironlance_core::redact::Secrets;
use ironlance_core::text::escape::escape_controls;

/// The longest line that is passed on, in bytes.
const LONGEST_LINE: usize = 8 * 1024;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 400;
/// How long to wait for the last output after the end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Passes on one output of a mailer, until its last writer closes it.
pub(super) struct OutputRelay {
    done: Receiver<()>,
    last: Arc<Mutex<String>>,
}

impl OutputRelay {
    pub(super) fn start(printed: File, secrets: Arc<Secrets>) -> io::Result<Self> {
        let (ended, done) = channel();
        let last = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&last);
        thread::Builder::new().spawn(move || {
            let mut printed = BufReader::new(printed);
            while let Some(line) = next_line(&mut printed) {
                let (shown, reason) = pass_on(&line, &secrets);
                let _ = io::stderr().lock().write_all(&shown);
                if !reason.is_empty() {
                    *kept.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                }
            }
            let _ = ended.send(());
        })?;
        Ok(Self { done, last })
    }

    /// The last line that is not blank, without secrets; empty if there is none. Waits a moment for output that is still in
    /// the pipe.
    pub(super) fn finish(self) -> String {
        let _ = self.done.recv_timeout(LAST_WORDS);
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The next line with its end. One that is too long is cut at its last blank that fits: half a secret would not be
/// redacted.
fn next_line(printed: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut is_cut = false;
    while let Ok(chunk) = printed.fill_buf() {
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n').map(|end| end + 1);
        let used = end.unwrap_or(chunk.len());
        let room = LONGEST_LINE.saturating_sub(line.len());
        is_cut |= used > room;
        line.extend_from_slice(&chunk[..used.min(room)]);
        printed.consume(used);
        if end.is_some() {
            break;
        }
    }
    if is_cut {
        let blank = line.iter().rposition(|byte| *byte == b' ').unwrap_or(0);
        line.truncate(blank);
        line.extend_from_slice(" (cut)\n".as_bytes());
    }
    (!line.is_empty()).then_some(line)
}

/// A line as it is passed on, and as a reason.
fn pass_on(line: &[u8], secrets: &Secrets) -> (Vec<u8>, String) {
    let text = String::from_utf8_lossy(line);
    let hidden = secrets.hide(&text);
    let reason = escape_controls(hidden.trim()).chars().take(LONGEST_REASON).collect();
    let shown = if hidden == text { line.to_vec() } else { hidden.into_bytes() };
    (shown, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_passed_on_as_it_came_but_for_its_secrets() {
        let secrets = Secrets::of("sendemail -xp hunter2");
        let (shown, reason) = pass_on(b"\x1b[1mbad \xff\n", &secrets);
        assert_eq!((shown.as_slice(), reason.as_str()), (&b"\x1b[1mbad \xff\n"[..], "\\x1b[1mbad \u{fffd}"));
        let (shown, reason) = pass_on(b"cannot log in with <hunter2>\n", &secrets);
        assert_eq!(
            (shown.as_slice(), reason.as_str()),
            (&b"cannot log in with <***>\n"[..], "cannot log in with <***>")
        );
        assert_eq!(pass_on("ü".repeat(900).as_bytes(), &secrets).1.chars().count(), LONGEST_REASON);
    }

    #[test]
    fn a_line_without_end_is_cut_before_the_word_that_does_not_fit() {
        let text = format!("{} {}\nnext", "x".repeat(LONGEST_LINE - 5), "secret".repeat(10));
        let mut printed = BufReader::new(text.as_bytes());
        let line = String::from_utf8(next_line(&mut printed).unwrap()).unwrap();
        assert!(line.ends_with("x (cut)\n") && !line.contains("secret"), "{}", line.len());
        assert_eq!(next_line(&mut printed).unwrap(), b"next");
        assert_eq!(next_line(&mut printed), None);
    }
}
