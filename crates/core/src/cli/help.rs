//! The help of a command as data: [`CommandHelp`], made of its table of options. `--help`, the manual pages and the
//! completion of shells are made of it.

use super::table::{OptionOrigin, OptionSpec, Takes};

/// The help of a listener, beside its options.
pub struct HelpPage {
    /// The command's name.
    pub command: &'static str,
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

/// The help of supervisord and supervisorctl, beside their options.
pub struct SupervisorHelp {
    /// The command's name.
    pub command: &'static str,
    /// What the command is for, after its name.
    pub about: &'static str,
    /// What stands behind the command's name.
    pub operands: &'static str,
    /// The paragraphs behind the options, as they are printed.
    pub notes: &'static str,
}

/// A command's help.
#[derive(Debug)]
pub struct CommandHelp {
    /// How the command is called.
    pub usage: String,
    /// The rest, in its order.
    pub sections: Vec<HelpSection>,
    /// The help of each subcommand.
    pub subcommands: Vec<CommandHelp>,
}

/// A part of a help.
#[derive(Debug)]
pub struct HelpSection {
    /// Its title; empty for none.
    pub title: &'static str,
    /// In their order.
    pub blocks: Vec<HelpBlock>,
}

/// A piece of a help.
#[derive(Debug)]
pub enum HelpBlock {
    /// A paragraph, in one line.
    Paragraph(String),
    /// Lines to be left as they are.
    Code(String),
    /// An option, an argument or a subcommand.
    Entry(HelpEntry),
}

/// An option, an argument or a subcommand, and its meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelpEntry {
    /// As it is written: `-c, --configuration FILENAME`.
    pub term: String,
    /// What it does, in one line.
    pub text: String,
    /// An option's letter.
    pub short: Option<char>,
    /// An option's name, without `--`.
    pub long: Option<String>,
    /// Whether the next argument is the option's value.
    pub takes_value: bool,
}

impl HelpEntry {
    /// The names of an option: `-c`, `--configuration`.
    pub fn spellings(&self) -> impl Iterator<Item = String> {
        let short = self.short.map(|short| format!("-{short}"));
        let long = self.long.as_ref().map(|long| format!("--{long}"));
        short.into_iter().chain(long)
    }
}

impl<T, E> OptionSpec<T, E> {
    /// The option in a help, with `separator` between its names.
    fn help_entry(&self, separator: &str) -> HelpEntry {
        let short = self.short.map(|short| format!("-{short}{separator}")).unwrap_or_default();
        let value = match self.takes {
            Takes::Nothing => String::new(),
            Takes::Value(word) => format!(" {word}"),
            Takes::OptionalNumber(word) => format!("[={word}]"),
        };
        HelpEntry {
            term: format!("{short}--{}{value}", self.long),
            text: self.help.to_owned(),
            short: self.short,
            long: Some(self.long.to_owned()),
            takes_value: matches!(self.takes, Takes::Value(_)),
        }
    }
}

impl SupervisorHelp {
    /// The options that have a help, in the original's form: `-c/--configuration FILENAME`.
    pub fn options<T, E>(rows: &[OptionSpec<T, E>]) -> Vec<HelpEntry> {
        rows.iter().filter(|row| !row.help.is_empty()).map(|row| row.help_entry("/")).collect()
    }

    /// The text for `--help` in the original's form, which other programs parse.
    pub fn text(&self, progname: &str, options: &[HelpEntry]) -> String {
        let Self { command, about, operands, notes } = self;
        let options: String =
            options.iter().map(|entry| format!("{} -- {}\n", entry.term, entry.text)).collect();
        format!("{command} -- {about}\n\nUsage: {progname} {operands}\n\nOptions:\n{options}\n{notes}\n")
    }

    /// The same as data.
    pub fn help(&self, options: Vec<HelpEntry>) -> CommandHelp {
        let about = HelpSection::of_text("", &format!("{} -- {}", self.command, self.about));
        let options = HelpSection::of_entries("Options", options);
        CommandHelp {
            usage: format!("{} {}", self.command, self.operands),
            sections: vec![about, options, HelpSection::of_text("", self.notes)],
            subcommands: Vec::new(),
        }
    }
}

impl HelpSection {
    /// Paragraphs that are divided by empty lines; an indented one is code.
    pub fn of_text(title: &'static str, text: &str) -> Self {
        let blocks = text.split("\n\n").map(|block| match block.strip_prefix("    ") {
            Some(code) => HelpBlock::Code(code.replace("\n    ", "\n")),
            None => HelpBlock::Paragraph(block.trim_end().replace('\n', " ")),
        });
        Self { title, blocks: blocks.collect() }
    }

    /// A list of options, arguments or subcommands.
    pub fn of_entries(title: &'static str, entries: impl IntoIterator<Item = HelpEntry>) -> Self {
        Self { title, blocks: entries.into_iter().map(HelpBlock::Entry).collect() }
    }

    /// The entries among the blocks.
    pub fn entries(&self) -> impl Iterator<Item = &HelpEntry> {
        self.blocks.iter().filter_map(|block| match block {
            HelpBlock::Entry(entry) => Some(entry),
            HelpBlock::Paragraph(_) | HelpBlock::Code(_) => None,
        })
    }
}

impl CommandHelp {
    /// The help of a listener.
    pub fn of_listener<T, E>(page: &HelpPage, rows: &[OptionSpec<T, E>]) -> Self {
        let options = |origin, title| {
            let rows = rows.iter().filter(|row| row.origin == origin);
            HelpSection::of_entries(title, rows.map(|row| row.help_entry(", ")))
        };
        let example = HelpBlock::Code(page.example.replace('\n', "\n  "));
        Self {
            usage: format!("{} [options]{}", page.command, page.operands),
            sections: vec![
                HelpSection::of_text("", page.about),
                options(OptionOrigin::Original, "as in superlance"),
                options(OptionOrigin::Ours, "more"),
                HelpSection { title: "example", blocks: vec![example] },
            ],
            subcommands: Vec::new(),
        }
    }

    /// The text for `--help`, wrapped at 80 columns.
    pub fn text(&self) -> String {
        let mut out = format!("usage: {}\n", self.usage);
        for section in &self.sections {
            out.push('\n');
            if !section.title.is_empty() {
                out.push_str(&format!("{}:\n", section.title));
            }
            for block in &section.blocks {
                match block {
                    HelpBlock::Paragraph(text) => wrap(&mut out, text, 0),
                    HelpBlock::Code(code) => out.push_str(&format!("  {}\n", code.replace('\n', "\n  "))),
                    HelpBlock::Entry(entry) => option(&mut out, entry),
                }
            }
        }
        out
    }
}

fn option(out: &mut String, entry: &HelpEntry) {
    let head = format!("  {}{}", if entry.short.is_none() { "    " } else { "" }, entry.term);
    out.push_str(&head);
    if head.len() + 2 > COLUMN {
        out.push('\n');
        out.push_str(&" ".repeat(COLUMN));
    } else {
        out.push_str(&" ".repeat(COLUMN - head.len()));
    }
    wrap(out, &entry.text, COLUMN);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_at_the_margin_is_a_paragraph_and_indented_text_is_code() {
        let section =
            HelpSection::of_text("", "One\ntwo.\n\n    supervisord -n\n    supervisord -s\n\nThree.\n");
        let [HelpBlock::Paragraph(first), HelpBlock::Code(code), HelpBlock::Paragraph(last)] =
            section.blocks.as_slice()
        else {
            panic!("{section:?}")
        };
        assert_eq!((first.as_str(), last.as_str()), ("One two.", "Three."));
        assert_eq!(code, "supervisord -n\nsupervisord -s");
    }
}
