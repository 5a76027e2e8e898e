//! The help of a command, made of its table: every option, wrapped at 80 columns.

use super::table::{OptionOrigin, OptionSpec, Takes};

/// What the help says beside the options.
pub struct HelpPage {
    /// The command's name.
    pub command: &'static str,
    /// The title above the original's options, such as `as in superlance`.
    pub original: &'static str,
    /// What stands behind the options: ` URL`, or nothing.
    pub operands: &'static str,
    /// What the command is for.
    pub about: &'static str,
    /// One command line to learn from; a line break in it is kept.
    pub example: &'static str,
}

/// No line is longer.
const WIDTH: usize = 80;
/// Where the text about an option begins.
const COLUMN: usize = 30;

/// The text for `--help`.
pub fn text<T, E>(page: &HelpPage, rows: &[OptionSpec<T, E>]) -> String {
    let mut out = format!("usage: {} [options]{}\n\n", page.command, page.operands);
    wrap(&mut out, page.about, 0);
    for (origin, title) in [(OptionOrigin::Original, page.original), (OptionOrigin::Ours, "more")] {
        out.push_str(&format!("\n{title}:\n"));
        for row in rows.iter().filter(|row| row.origin == origin) {
            option(&mut out, row);
        }
    }
    let example = page.example.replace('\n', "\n    ");
    out.push_str(&format!("\nexample:\n  {example}\n"));
    out
}

fn option<T, E>(out: &mut String, row: &OptionSpec<T, E>) {
    let short = row.short.map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
    let value = match row.takes {
        Takes::Nothing => String::new(),
        Takes::Value(word) => format!(" {word}"),
        Takes::OptionalNumber(word) => format!("[={word}]"),
    };
    let head = format!("  {short}--{}{value}", row.long);
    out.push_str(&head);
    if head.len() + 2 > COLUMN {
        out.push('\n');
        out.push_str(&" ".repeat(COLUMN));
    } else {
        out.push_str(&" ".repeat(COLUMN - head.len()));
    }
    wrap(out, row.help, COLUMN);
}

/// Appends `text`, broken at spaces; lines after the first begin at the column `indent`, where `out` stands now.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut column = indent;
    for (n, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if n > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}
