//! The verbs of supervisorctl for the manual page and the completion: their help lines as [`HelpEntry`]s.

use ironlance_core::cli::help::HelpEntry;
use ironlance_ctl::reference::{Completion, Origin, VerbDescription, reference};

/// A verb of supervisorctl.
pub(crate) struct VerbHelp {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its forms and their meanings; for a verb of ours, its options as well.
    pub(crate) forms: Vec<HelpEntry>,
    /// The options and forms that ironlance adds to a verb of the original.
    pub(crate) ours: Vec<HelpEntry>,
    /// What can be completed after it.
    pub(crate) completes: Completion,
    /// Where the verb comes from.
    pub(crate) origin: Origin,
}

impl VerbHelp {
    /// What it does, in its simplest form.
    pub(crate) fn text(&self) -> &str {
        self.forms.first().map_or("", |form| &form.text)
    }

    /// Whether `all` may stand behind it.
    pub(crate) fn takes_all(&self) -> bool {
        self.forms.iter().any(|form| form.term.ends_with(" all"))
    }

    /// Its options.
    pub(crate) fn options(&self) -> Vec<&HelpEntry> {
        self.forms.iter().chain(&self.ours).filter(|form| form.long.is_some()).collect()
    }
}

/// The verbs of supervisorctl, by name.
pub(crate) fn verbs() -> Vec<VerbHelp> {
    let verb = |text: VerbDescription| VerbHelp {
        name: text.name,
        forms: forms(text.help),
        ours: forms(text.extensions),
        completes: text.completes,
        origin: text.origin,
    };
    reference().into_iter().map(verb).collect()
}

/// `start all\t\tStart all processes`, one a line; a line that begins with space continues the form above.
fn forms(lines: &[&str]) -> Vec<HelpEntry> {
    let mut forms: Vec<HelpEntry> = Vec::new();
    for line in lines {
        let (term, text) = line.split_once('\t').unwrap_or((line, ""));
        let (term, text) = (term.trim_end(), text.trim());
        match forms.last_mut() {
            Some(last) if term.is_empty() || line.starts_with(' ') => {
                last.text = format!("{} {}", last.text, line.trim()).trim().to_owned();
            }
            _ => forms.push(form(term, text)),
        }
    }
    forms
}

/// A form, or an option: `--timeout <seconds>`.
fn form(term: &str, text: &str) -> HelpEntry {
    let option = term.strip_prefix("--");
    HelpEntry {
        term: term.to_owned(),
        text: text.to_owned(),
        short: None,
        long: option.and_then(|option| option.split(' ').next()).map(str::to_owned),
        takes_value: option.is_some_and(|option| option.contains(' ')),
    }
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
