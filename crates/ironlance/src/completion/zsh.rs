//! The script for zsh.

use ironlance_core::cli::help::HelpEntry;

use super::known::Known;

/// The script around what is known; `@NAME@` stands for a part of it.
const SCRIPT: &str = include_str!("ironlance.zsh");

/// The whole script.
pub(super) fn script(known: &Known) -> String {
    let commands = known.commands.iter().map(|command| described(&command.name, &command.about));
    let actions = known.actions.iter().map(|action| described(&action.name, &action.text));
    let own = [
        ("@COMMANDS@", commands.collect::<Vec<_>>().join(" ")),
        ("@ACTIONS@", actions.collect::<Vec<_>>().join(" ")),
        ("@OPTIONS@", options(known)),
        ("@TAKERS@", takers(known.takers())),
        ("@VERB_TAKERS@", takers(known.verb_takers())),
        ("@ACTION_OPTIONS@", action_options(known)),
        ("@SUBCOMMANDS@", subcommands(known)),
    ];
    known.fill(SCRIPT, "|", &own)
}

/// `'name:what it is'`, quoted.
fn described(name: &str, text: &str) -> String {
    let word = format!("{}:{text}", name.replace(':', "\\:"));
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn options(known: &Known) -> String {
    known.commands.iter().map(|command| found("    ", &command.name, &command.options)).collect()
}

fn action_options(known: &Known) -> String {
    known.actions.iter().map(|action| found("      ", &action.name, &action.options)).collect()
}

/// A row that finds the options; none where there are none.
fn found(margin: &str, name: &str, options: &[HelpEntry]) -> String {
    if options.is_empty() {
        return String::new();
    }
    let words =
        options.iter().flat_map(|option| option.spellings().map(|word| described(&word, &option.text)));
    format!("{margin}{name}) found=({}) ;;\n", words.collect::<Vec<_>>().join(" "))
}

fn takers(rows: impl Iterator<Item = Vec<String>>) -> String {
    rows.map(|words| format!("    ({}) return 0 ;;\n", words.join("|"))).collect()
}

fn subcommands(known: &Known) -> String {
    let mut rows = String::new();
    for command in known.commands.iter().filter(|command| !command.subcommands.is_empty()) {
        let words = command.subcommands.iter().map(|(name, text)| described(name, text));
        rows.push_str(&format!("    {}) found=({}) ;;\n", command.name, words.collect::<Vec<_>>().join(" ")));
    }
    rows
}
