//! Descriptions of all verbs, for the manual pages and shell completions of the `ironlance` binary.

pub use crate::verb::api::Completion;
use crate::verb::api::{HelpGroup, Verb};
use crate::verb::table::VERBS;

/// A verb and its help. A line has a form or an option, tabs, and its meaning; one that begins with space continues the
/// line above.
#[derive(Clone, Copy, Debug)]
pub struct VerbDescription {
    /// Its name.
    pub name: &'static str,
    /// Its help; the original's text for the original's verbs.
    pub help: &'static [&'static str],
    /// What it can do beyond the original; empty for verbs of ours.
    pub extensions: &'static [&'static str],
    /// What can be completed after it.
    pub completes: Completion,
    /// Where the verb comes from.
    pub origin: Origin,
}

/// Where a verb comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Supervisor.
    Original,
    /// Ironlance alone.
    Ours,
}

/// Every verb that has help, by name.
pub fn reference() -> Vec<VerbDescription> {
    let describe = |verb: &Verb| VerbDescription {
        name: verb.name,
        help: verb.help,
        extensions: verb.extensions,
        completes: verb.completes,
        origin: match verb.help_group {
            HelpGroup::Ours => Origin::Ours,
            HelpGroup::Original | HelpGroup::Unlisted => Origin::Original,
        },
    };
    VERBS.iter().filter(|verb| !verb.help.is_empty()).map(describe).collect()
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
