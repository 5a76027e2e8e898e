//! A manual page on a terminal: by man where there is one, else as plain text through the pager.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Formats a page that it reads from its standard input, and shows it through the pager.
const FORMATTER: [&str; 3] = ["man", "-l", "-"];
/// Shows text page by page where `PAGER` names nothing.
const PAGER: &str = "less";

/// Shows the page; its source is roff.
pub(super) fn show(source: &str) -> Result<()> {
    if feed(&FORMATTER, source) {
        return Ok(());
    }
    let text = plain(source);
    let pager = std::env::var("PAGER").ok().filter(|pager| !pager.is_empty());
    if feed(&["sh", "-c", pager.as_deref().unwrap_or(PAGER)], &text) {
        return Ok(());
    }
    io::stdout().write_all(text.as_bytes()).context("cannot print the page")
}

/// Passes a command its standard input; gives whether it could be run and ended with status 0.
fn feed(words: &[&str], text: &str) -> bool {
    let Some((program, args)) = words.split_first() else { return false };
    // Its warnings about the page are of no use to a reader.
    let child = Command::new(program).args(args).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut input) = child.stdin.take() {
        // A reader that leaves early has read enough.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().is_ok_and(|status| status.success())
}

/// The text of a page in the few requests that our pages are written in (man(7)).
fn plain(source: &str) -> String {
    let mut out = String::new();
    // The next line is the label of a paragraph.
    let mut label = false;
    let mut indent = "";
    for line in source.lines() {
        let (request, rest) = match line.strip_prefix(['.', '\'']) {
            Some(line) => line.split_once(' ').unwrap_or((line, "")),
            None => ("", line),
        };
        let text = unescaped(rest.trim_matches('"'));
        match request {
            "" => {
                out.push_str(if label { "    " } else { indent });
                out.push_str(&text);
                out.push('\n');
                if label {
                    (label, indent) = (false, "        ");
                }
            }
            "SH" | "SS" => {
                out.push_str(&format!("\n{}{text}\n", if request == "SS" { "  " } else { "" }));
                indent = "    ";
            }
            "TP" => {
                out.push('\n');
                label = true;
            }
            "PP" => {
                out.push('\n');
                indent = "    ";
            }
            // What only forms the page.
            _ => {}
        }
    }
    out.trim_start().to_owned()
}

/// Text without the escapes that our pages have: fonts, and characters that have a meaning in roff.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('f') => drop(chars.next()),
            Some('&') | None => {}
            // `\*(Aq` is an apostrophe.
            Some('*') => {
                chars.nth(2);
                out.push('\'');
            }
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_read_without_a_formatter() {
        for sheet in super::super::sheets(&crate::overview(), &crate::references()) {
            let text = plain(&sheet.text);
            assert!(text.contains("NAME\n") && text.contains("DESCRIPTION") || text.len() > 500, "{text}");
            let bad = text.lines().find(|line| line.contains("\\f") || line.starts_with('.'));
            assert_eq!(bad, None, "{}", sheet.name);
        }
    }

    #[test]
    fn fonts_and_escapes_are_taken_away() {
        assert_eq!(unescaped(r"\fB\-c\fR FILE\&.x it\*(Aqs \\"), r"-c FILE.x it's \");
        assert_eq!(plain(".SH NAME\n.TP\n\\fBx\\fR\nabout\n"), "NAME\n\n    x\n        about\n");
    }
}
