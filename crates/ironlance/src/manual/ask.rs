//! Asks this very binary for its help: what a command says of itself is what the manual and the shells say of it.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use ironlance_ctl::reference::{Completion, Origin, VerbDescription, reference};

use super::help::{Entry, Help, Part};

/// A command of ours, and its help.
pub(crate) struct Asked {
    /// The arguments that make ironlance be it: `outbox`.
    pub(crate) command: String,
    /// How it is called by people: `crashmail`, or `ironlance outbox`.
    pub(crate) name: String,
    /// What it is for, in a few words.
    pub(crate) about: String,
    /// Its options.
    pub(crate) help: Help,
}

/// Prints the sample whatever its arguments are, so it cannot be asked.
const SILENT: &str = "echo_supervisord_conf";
const SILENT_HELP: &str = "usage: echo_supervisord_conf > supervisord.conf\n\n\
    Prints a configuration file with every section and every key, each with its default and what it is for. It can be \
    used as it is; what is not needed stands behind semicolons. It takes no options.\n";

/// Our name where it is not a link's.
const OURS: &str = "ironlance";

/// The binary itself, without a command.
pub(crate) fn ourselves() -> Result<Asked> {
    let mut help = Help::parse(&ask(&["--help"])?);
    // The first paragraph says the name and the version.
    let title = help.parts.first_mut().and_then(Part::take_text);
    let about = title.and_then(|title| Some(title.split_once(": ")?.1.to_owned())).unwrap_or_default();
    Ok(Asked { command: String::new(), name: OURS.to_owned(), about, help })
}

/// Every command that has something to say to people, in the order of `ironlance --help`.
pub(crate) fn commands() -> Result<Vec<Asked>> {
    let ourselves = ourselves()?;
    let listed: Vec<&Entry> = ourselves.help.part("commands").collect();
    let asked = listed.into_iter().map(|entry| describe(&entry.term, &entry.text));
    asked.filter_map(Result::transpose).collect()
}

fn describe(command: &str, about: &str) -> Result<Option<Asked>> {
    let text = if command == SILENT { SILENT_HELP.to_owned() } else { ask(&[command, "--help"])? };
    let help = Help::parse(&text);
    // What the listeners start by themselves says nothing on stdout.
    let Some(usage) = help.usage.first() else { return Ok(None) };
    let is_link = !usage.starts_with(OURS);
    let name = if is_link { command.to_owned() } else { format!("{OURS} {command}") };
    Ok(Some(Asked { command: command.to_owned(), name, about: about.to_owned(), help }))
}

/// The help of a subcommand.
pub(crate) fn subcommand(command: &str, name: &str) -> Result<Help> {
    Ok(Help::parse(&ask(&[command, name, "--help"])?))
}

fn ask(args: &[&str]) -> Result<String> {
    let program = env::current_exe().context("cannot tell where this program is")?;
    let mut command = Command::new(&program);
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().with_context(|| format!("cannot run {} {args:?}", program.display()))?;
    String::from_utf8(output.stdout).with_context(|| format!("cannot read what {args:?} says"))
}

/// A verb of supervisorctl.
pub(crate) struct VerbHelp {
    /// How it is called.
    pub(crate) name: String,
    /// Its forms, and what each does; where we alone have it, its options as well.
    pub(crate) forms: Vec<Entry>,
    /// The options and forms that we alone have, of a verb of the original.
    pub(crate) ours: Vec<Entry>,
    /// What can stand behind it.
    pub(crate) completes: Completion,
    /// Who has it.
    pub(crate) origin: Origin,
}

/// The verbs of supervisorctl, by name.
pub(crate) fn verbs() -> Vec<VerbHelp> {
    let verb = |text: VerbDescription| VerbHelp {
        name: text.name.to_owned(),
        forms: forms(text.help),
        ours: forms(text.extensions),
        completes: text.completes,
        origin: text.origin,
    };
    reference().into_iter().map(verb).collect()
}

/// `start all\t\tStart all processes`, one a line; what begins with space goes on with the form above.
fn forms(lines: &[&str]) -> Vec<Entry> {
    let mut forms: Vec<Entry> = Vec::new();
    for line in lines {
        let (term, text) = line.split_once('\t').unwrap_or((line, ""));
        let (term, text) = (term.trim_end(), text.trim());
        match forms.last_mut() {
            Some(last) if term.is_empty() || line.starts_with(' ') => {
                last.text = format!("{} {}", last.text, line.trim()).trim().to_owned();
            }
            _ => forms.push(Entry { term: term.to_owned(), text: text.to_owned() }),
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verbs_help_is_its_forms() {
        let forms =
            forms(&["start <name>\t\tStart a process", "start all\tStart all", "\t\tprocesses", "Note."]);
        let forms: Vec<_> = forms.iter().map(|form| (form.term.as_str(), form.text.as_str())).collect();
        assert_eq!(
            forms,
            [("start <name>", "Start a process"), ("start all", "Start all processes"), ("Note.", "")]
        );
    }
}
