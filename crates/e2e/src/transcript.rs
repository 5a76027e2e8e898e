//! What a listener did, without what may differ: times, folders, and our documented additions.

use std::path::Path;

use crate::mail_text::MailText;

/// Times as the originals write them: `#` is a digit, `~` a digit or a space, `@` a letter.
const TIMES: &[&str] = &["####-##-## ##:##:##,###", "@@@ @@@ ~# ##:##:## ####"];

/// The facts of our Details block, by which its lines are known on stderr.
const DETAILS: &str = "\n\nDetails:\n";

/// What can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// What it wrote to stderr.
    pub stderr: String,
    /// The mails, each as its `To`, `From` and `Subject` and its text.
    pub mails: Vec<String>,
    /// What it told supervisord to do.
    pub actions: Vec<String>,
}

/// Replaces times by `TIME` and the folder by `DIR`.
pub fn redact_times(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "DIR");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        match TIMES.iter().find(|shape| fits(rest, shape)) {
            Some(shape) => {
                out.push_str("TIME");
                rest = &rest[shape.len()..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

/// Whether the text begins in this shape: `#` a digit, `~` a digit or a space, `@` a letter.
pub(crate) fn fits(text: &str, shape: &str) -> bool {
    let fit = |(byte, shape): (u8, u8)| match shape {
        b'#' => byte.is_ascii_digit(),
        b'~' => byte.is_ascii_digit() || byte == b' ',
        b'@' => byte.is_ascii_alphabetic(),
        other => byte == other,
    };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fit)
}

/// The part of a mail that must agree: the headers that a reader sees, and the text above the Details.
pub fn comparable_part(mail: &str) -> String {
    let mail = MailText::parse(mail);
    let mut out = String::new();
    for name in ["To", "From", "Subject"] {
        out.extend(mail.header(name).map(|value| format!("{name}: {value}\n")));
    }
    // A text that is nothing but Details still has its blank line before them.
    let body = format!("\n\n{}", mail.text);
    let text = body.split_once(DETAILS).map_or(body.as_str(), |(text, _)| text);
    out + text.trim_end().trim_start_matches("\n\n")
}

/// Stderr without our Details and without the traceback by which the originals end with their input.
pub fn without_additions(stderr: &str) -> String {
    let mut out = String::new();
    let mut rest = without_last_traceback(stderr);
    while let Some((before, block)) = rest.split_once(DETAILS) {
        out.push_str(before);
        // The block ends with the first line that is neither a fact nor a line of a log.
        let is_fact = |line: &&str| {
            line.starts_with("    ") || line.split_once(':').is_some_and(|(name, _)| FACTS.contains(&name))
        };
        let length: usize = block.split_inclusive('\n').take_while(is_fact).map(str::len).sum();
        rest = &block[length..];
    }
    out.push_str(rest);
    without_notes(&out)
}

/// Without what our listeners say about themselves. The sentence of a mail is logged without a line end, as the
/// originals do: the one before a note is the note's.
fn without_notes(stderr: &str) -> String {
    let mut out = String::new();
    for line in stderr.split_inclusive('\n') {
        if !line.starts_with("note: ") {
            out.push_str(line);
        } else if out.lines().last().is_some_and(|line| line.starts_with("Process ")) && out.ends_with('\n') {
            out.pop();
        }
    }
    out
}

/// The names of the facts in a Details block.
const FACTS: &[&str] = &[
    "host",
    "supervisor",
    "program",
    "pid",
    "ended",
    "start error",
    "ran for",
    "started",
    "state now",
    "last lines of stderr",
    "last lines of stdout",
];

fn without_last_traceback(stderr: &str) -> &str {
    match stderr.rfind("Traceback (most recent call last):\n") {
        Some(at) if stderr.trim_end().ends_with("KeyError: 'len'") => &stderr[..at],
        _ => stderr,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_folders_are_redacted() {
        let text = "cat crashed at 2026-11-23 09:48:11,459 in /tmp/x/y; Mon Nov  2 01:02:03 2026 UTC; é";
        assert_eq!(redact_times(text, Path::new("/tmp/x")), "cat crashed at TIME in DIR/y; TIME UTC; é");
    }

    #[test]
    fn a_mail_is_its_visible_headers_and_the_text_above_the_details() {
        let ours = "To: a@b\nSubject:  x\nDate: now\n\ntext\n\nDetails:\nhost: h\n";
        assert_eq!(comparable_part(ours), comparable_part("To: a@b\nSubject:  x\n\ntext"));
        assert_ne!(comparable_part(ours), comparable_part("To: a@b\nSubject: x\n\ntext"));
    }

    #[test]
    fn stderr_loses_the_details_and_the_last_traceback_only() {
        let ours = "Mailed:\n\ntext\n\nDetails:\nhost: h\nlast lines of stderr:\n    a: b\nunexpected exit, mailing\n";
        assert_eq!(without_additions(ours), "Mailed:\n\ntextunexpected exit, mailing\n");
        let original = "x\nTraceback (most recent call last):\n  File\nKeyError: 'len'\n";
        assert_eq!(without_additions(original), "x\n");
    }
}
