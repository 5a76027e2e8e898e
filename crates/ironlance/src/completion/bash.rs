//! The script for bash.

use ironlance_core::cli::help::HelpEntry;

use super::known::Known;

/// The script around what is known; `@NAME@` stands for a part of it.
const SCRIPT: &str = include_str!("ironlance.bash");

/// The whole script.
pub(super) fn script(known: &Known) -> String {
    let commands: Vec<&str> = known.commands.iter().map(|command| command.name.as_str()).collect();
    let actions: Vec<&str> = known.actions.iter().map(|action| action.name.as_str()).collect();
    let own = [
        ("@COMMANDS@", commands.join(" ")),
        ("@ACTIONS@", actions.join(" ")),
        ("@OPTIONS@", options(known)),
        ("@TAKERS@", takers(known.takers())),
        ("@VERB_TAKERS@", takers(known.verb_takers())),
        ("@ACTION_OPTIONS@", action_options(known)),
        ("@SUBCOMMANDS@", subcommands(known)),
    ];
    known.fill(SCRIPT, " | ", &own)
}

fn options(known: &Known) -> String {
    known.commands.iter().map(|command| spelled(&command.name, &command.options)).collect()
}

fn action_options(known: &Known) -> String {
    known.actions.iter().map(|action| spelled(&action.name, &action.options)).collect()
}

/// A row that says the options; none where there are none.
fn spelled(name: &str, options: &[HelpEntry]) -> String {
    let words: Vec<String> = options.iter().flat_map(HelpEntry::spellings).collect();
    if words.is_empty() { String::new() } else { format!("        {name}) echo '{}' ;;\n", words.join(" ")) }
}

fn takers(rows: impl Iterator<Item = Vec<String>>) -> String {
    rows.map(|words| format!("        {}) return 0 ;;\n", words.join(" | "))).collect()
}

fn subcommands(known: &Known) -> String {
    let with = known.commands.iter().filter(|command| !command.subcommands.is_empty());
    let row = with.map(|command| {
        let names: Vec<&str> = command.subcommands.iter().map(|(name, _)| name.as_str()).collect();
        format!("        {}) echo '{}' ;;\n", command.name, names.join(" "))
    });
    row.collect()
}
