//! The script for fish.

use std::fmt::Write as _;

use ironlance_core::cli::help::HelpEntry;
use ironlance_ctl::reference::Completion;

use super::known::{self, CHANNELS, Known};
use crate::usage::CommandReference;

/// What asks supervisorctl; `@ACTIONS@` stands for its verbs.
const FUNCTIONS: &str = include_str!("ironlance.fish");

const GROUPS: &str = "(__ironlance_groups)";
const PROCESSES: &str = "(__ironlance_processes)";

/// The whole script.
pub(super) fn script(known: &Known<'_>) -> String {
    let verbs: Vec<&str> = known.verbs.iter().map(|verb| verb.name).collect();
    let mut script = FUNCTIONS.replace("@ACTIONS@", &verbs.join(" "));
    let names: Vec<&str> = known.commands.iter().map(|command| command.command).collect();
    let none_yet = format!("not __fish_seen_subcommand_from {}", names.join(" "));
    for command in known.commands {
        row(&mut script, "ironlance", &none_yet, &format!("-f -a {}", command.command), command.about);
        let behind = format!("__fish_seen_subcommand_from {}", command.command);
        of_command(&mut script, known, command, "ironlance", &behind);
        if command.is_link() {
            of_command(&mut script, known, command, command.command, "");
        }
    }
    script
}

/// What can stand behind one command, where the condition holds.
fn of_command(
    script: &mut String,
    known: &Known<'_>,
    command: &CommandReference,
    program: &str,
    condition: &str,
) {
    if command.command == "supervisorctl" {
        // Behind a verb stand the verb's own options.
        options(script, program, &both(condition, "__ironlance_needs_verb"), &command.options());
        return of_control(script, known, program, condition);
    }
    options(script, program, condition, &command.options());
    for entry in command.subcommands() {
        row(script, program, condition, &format!("-f -a {}", entry.term), &entry.text);
    }
}

fn options(script: &mut String, program: &str, condition: &str, options: &[&HelpEntry]) {
    for option in options {
        let mut words: Vec<String> = Vec::new();
        words.extend(option.short.map(|short| format!("-s {short}")));
        words.extend(option.long.as_ref().map(|long| format!("-l {long}")));
        words.extend(option.takes_value.then(|| "-r".to_owned()));
        row(script, program, condition, &words.join(" "), &option.text);
    }
}

fn of_control(script: &mut String, known: &Known<'_>, program: &str, condition: &str) {
    let no_verb = both(condition, "__ironlance_needs_verb");
    for verb in &known.verbs {
        row(script, program, &no_verb, &format!("-f -a {}", verb.name), verb.text());
        let here = both(condition, &format!("__ironlance_verb_is {}", verb.name));
        options(script, program, &here, &verb.options());
        let first = both(&here, "__ironlance_place_is 0");
        let names = if verb.completes == Completion::SignalAndProcesses {
            both(&here, "not __ironlance_place_is 0")
        } else {
            here.clone()
        };
        if verb.takes_all() {
            row(script, program, &names, "-f -a all", "");
        }
        let mut offer = |condition: &str, list: &str| {
            row(script, program, condition, &format!("-f -a {}", quoted(list)), "");
        };
        match verb.completes {
            Completion::Nothing => {}
            Completion::VerbNames => offer(&here, "(__ironlance_verbs)"),
            Completion::Groups => offer(&here, GROUPS),
            Completion::Processes => offer(&here, PROCESSES),
            Completion::EventTypes => offer(&here, &known::events()),
            Completion::SignalAndProcesses => {
                offer(&first, &known::signals());
                offer(&names, PROCESSES);
            }
            Completion::ProcessAndChannel => {
                offer(&first, PROCESSES);
                offer(&both(&here, "__ironlance_place_is 1"), CHANNELS);
            }
        }
    }
}

/// A condition that may be empty, and one more.
fn both(condition: &str, more: &str) -> String {
    if condition.is_empty() { more.to_owned() } else { format!("{condition}; and {more}") }
}

fn row(script: &mut String, program: &str, condition: &str, what: &str, text: &str) {
    // Writing into a String cannot fail.
    let _ = write!(script, "complete -c {program}");
    if !condition.is_empty() {
        let _ = write!(script, " -n {}", quoted(condition));
    }
    let _ = write!(script, " {what}");
    if !text.is_empty() {
        let _ = write!(script, " -d {}", quoted(text));
    }
    script.push('\n');
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
