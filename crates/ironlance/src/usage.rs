//! Command lines and help of our commands: [`run`] reads arguments with clap and reports errors, [`help`] gives a clap
//! command's help as data, [`CommandReference`] is what manual and completion read.

use std::io::{self, Write};
use std::iter::once;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory, Parser};
use ironlance_core::cli::help::{CommandHelp, HelpBlock, HelpEntry, HelpSection};

/// A command of the binary, and its help.
pub(crate) struct CommandReference {
    /// Its name as a link, and behind `ironlance`.
    pub(crate) command: &'static str,
    /// What it is for, in a few words.
    pub(crate) about: &'static str,
    /// Its usage, options and subcommands.
    pub(crate) help: CommandHelp,
}

impl CommandReference {
    /// Whether it is called by a link of its name.
    pub(crate) fn is_link(&self) -> bool {
        !self.help.usage.starts_with("ironlance ")
    }

    /// Its options.
    pub(crate) fn options(&self) -> Vec<&HelpEntry> {
        let entries = self.help.sections.iter().flat_map(HelpSection::entries);
        entries.filter(|entry| entry.term.starts_with('-')).collect()
    }

    /// What it can be told to do.
    pub(crate) fn subcommands(&self) -> Vec<&HelpEntry> {
        let sections = self.help.sections.iter().filter(|section| section.title == "Commands");
        sections.flat_map(HelpSection::entries).collect()
    }
}

/// Runs a command of ours: reads its arguments, and ends with the status of `run`, or with `failure` and the error on
/// stderr. Once help or what is wrong with the arguments has been printed, the status is 0 for help, 2 for an error, 1 if
/// help could not be written.
pub(crate) fn run<A: Parser>(
    args: &[String],
    failure: u8,
    run: impl FnOnce(A) -> anyhow::Result<ExitCode>,
) -> ExitCode {
    let name = A::command().get_name().to_owned();
    let args = match A::try_parse_from(once(&name).chain(args)) {
        Ok(args) => args,
        Err(error) => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            let status = u8::try_from(error.exit_code()).unwrap_or(2);
            return ExitCode::from(if printed.is_err() { status.max(1) } else { status });
        }
    };
    run(args).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "{name}: {error:#}");
        ExitCode::from(failure)
    })
}

/// The help of a command whose arguments are `A`.
pub(crate) fn help<A: CommandFactory>() -> CommandHelp {
    let mut command = A::command();
    // Adds --help and the subcommand help, and the full names of subcommands.
    command.build();
    command_help(&mut command)
}

fn command_help(command: &mut Command) -> CommandHelp {
    let usage = command.render_usage().to_string();
    let about = plain(command.get_long_about().or(command.get_about()));
    let mut sections = vec![HelpSection::of_text("", &about)];
    let subcommands = command.get_subcommands().map(|command| HelpEntry {
        term: command.get_name().to_owned(),
        text: plain(command.get_about()),
        ..HelpEntry::default()
    });
    sections.push(HelpSection::of_entries("Commands", subcommands));
    sections.push(HelpSection::of_entries("Arguments", command.get_positionals().map(entry)));
    sections.push(HelpSection::of_entries(
        "Options",
        command.get_arguments().filter(|arg| !arg.is_positional()).map(entry),
    ));
    if let Some(notes) = command.get_after_help().map(StyledStr::to_string) {
        let (notes, example) = notes.split_once("\n\nExample:\n").unwrap_or((&notes, ""));
        sections.push(HelpSection::of_text("", notes));
        let example = example.strip_prefix("  ").map(|code| HelpBlock::Code(code.replace("\n  ", "\n")));
        sections.push(HelpSection { title: "Example", blocks: example.into_iter().collect() });
    }
    sections.retain(|section| !section.blocks.is_empty());
    CommandHelp {
        usage: usage.trim_start_matches("Usage: ").to_owned(),
        sections,
        subcommands: command
            .get_subcommands_mut()
            .filter(|command| command.get_name() != "help")
            .map(command_help)
            .collect(),
    }
}

fn entry(arg: &Arg) -> HelpEntry {
    let mut text = plain(arg.get_long_help().or(arg.get_help()));
    let takes_value = arg.get_action().takes_values();
    if takes_value && !arg.get_default_values().is_empty() {
        let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        text.push_str(&format!(" [default: {}]", values.join(" ")));
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| format!("{}: {}", value.get_name(), plain(value.get_help())))
        .collect();
    if !values.is_empty() {
        text.push_str(&format!(" [possible values: {}]", values.join("; ")));
    }
    let short = arg.get_short();
    let letter = short.filter(|_| arg.get_long().is_some()).map(|short| format!("-{short}, "));
    HelpEntry {
        term: format!("{}{arg}", letter.unwrap_or_default()),
        text,
        short,
        long: arg.get_long().map(str::to_owned),
        takes_value,
    }
}

fn plain(text: Option<&StyledStr>) -> String {
    text.map(StyledStr::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does it.
    #[derive(Parser)]
    #[command(name = "ironlance x", after_help = "Ends with 0.\n\nExample:\n  ironlance x \\\n    -o 1")]
    struct Args {
        /// Where
        #[arg(short, long, value_name = "FILE", default_value = "out")]
        output: String,
        #[command(subcommand)]
        verb: Verb,
    }

    #[derive(clap::Subcommand)]
    enum Verb {
        /// Lists
        List {
            /// All
            #[arg(long)]
            all: bool,
            /// Which
            ids: Vec<String>,
        },
    }

    fn entries<'h>(help: &'h CommandHelp, title: &str) -> Vec<(&'h str, &'h str, bool)> {
        let sections = help.sections.iter().filter(|section| section.title == title);
        let entries = sections.flat_map(HelpSection::entries);
        entries.map(|entry| (entry.term.as_str(), entry.text.as_str(), entry.takes_value)).collect()
    }

    #[test]
    fn claps_arguments_become_entries() {
        let help = help::<Args>();
        assert_eq!(help.usage, "ironlance x [OPTIONS] <COMMAND>");
        assert_eq!(entries(&help, "Commands")[0], ("list", "Lists", false));
        assert_eq!(
            entries(&help, "Options"),
            [("-o, --output <FILE>", "Where [default: out]", true), ("-h, --help", "Print help", false)]
        );
        let list = &help.subcommands[0];
        assert_eq!(list.usage, "ironlance x list [OPTIONS] [IDS]...");
        assert_eq!(entries(list, "Arguments"), [("[IDS]...", "Which", true)]);
        assert_eq!(entries(list, "Options")[0], ("--all", "All", false));
    }

    #[test]
    fn the_example_behind_claps_help_is_code() {
        let help = help::<Args>();
        let [.., notes, example] = help.sections.as_slice() else { panic!("{help:?}") };
        assert!(matches!(notes.blocks.as_slice(), [HelpBlock::Paragraph(text)] if text == "Ends with 0."));
        assert_eq!(example.title, "Example");
        assert!(
            matches!(example.blocks.as_slice(), [HelpBlock::Code(code)] if code == "ironlance x \\\n  -o 1")
        );
    }
}
