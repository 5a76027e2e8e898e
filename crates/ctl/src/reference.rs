//! What the verbs say of themselves, for manuals and for the completions of shells.

pub use crate::verb::api::Completion;
use crate::verb::api::HelpGroup;
use crate::verb::table::VERBS;

/// A verb, and what is said about it. Lines have a form or an option, tabs, and what that does; one that begins with
/// space goes on with the line above.
#[derive(Clone, Copy, Debug)]
pub struct VerbDescription {
    /// How it is called.
    pub name: &'static str,
    /// Its help: the original's, where the original has the verb.
    pub help: &'static [&'static str],
    /// What it can do beyond the original; nothing where the original has no such verb.
    pub extensions: &'static [&'static str],
    /// What can stand behind it.
    pub completes: Completion,
    /// Who has it.
    pub origin: Origin,
}

/// Who has a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The original, and so do we.
    Original,
    /// Only we.
    Ours,
}

/// Every verb that has help, by name.
pub fn reference() -> Vec<VerbDescription> {
    let told = VERBS.iter().filter(|verb| !verb.help.is_empty());
    let text = told.map(|verb| VerbDescription {
        name: verb.name,
        help: verb.help,
        extensions: verb.extensions,
        completes: verb.completes,
        origin: match verb.help_group {
            HelpGroup::Ours => Origin::Ours,
            HelpGroup::Original | HelpGroup::Unlisted => Origin::Original,
        },
    });
    text.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_ours_is_told() {
        let verbs = reference();
        let lines = |name: &str| {
            let verb = verbs.iter().find(|verb| verb.name == name).unwrap();
            [verb.help, verb.extensions].concat().join("\n")
        };
        for name in ["start", "stop", "restart"] {
            for word in ["--timeout <seconds>", "--no-wait", "--wait\t", " web*\t"] {
                assert!(lines(name).contains(word), "{name} {word}");
            }
        }
        for name in ["status", "why", "listeners", "events"] {
            assert!(lines(name).contains("--json\t"), "{name}");
        }
        assert!(lines("signal").contains(" web*\t"));
        assert!(verbs.iter().all(|verb| verb.origin == Origin::Original || verb.extensions.is_empty()));
    }
}
