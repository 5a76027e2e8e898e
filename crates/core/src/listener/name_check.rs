//! Names in a listener's `--program` and `--group` that match no process: [`unmatched_patterns`] makes a warning for each, with
//! what was probably meant, since such a listener would never act.

use crate::process::name::Namespec;
use crate::process::selection::Selection;
use crate::text::suggest::suggest;

/// The most names that are reported.
const MAX_REPORTED: usize = 20;

/// A pattern as an option gave it, without a limit behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// Of `--program`: NAME, GROUP:NAME or GROUP:*, with or without `!`.
    Program(String),
    /// Of `--group`: GROUP or `!GROUP`.
    Group(String),
}

impl NamePattern {
    fn pattern(&self) -> &str {
        match self {
            Self::Program(pattern) | Self::Group(pattern) => pattern,
        }
    }

    const fn option(&self) -> &'static str {
        match self {
            Self::Program(_) => "--program",
            Self::Group(_) => "--group",
        }
    }

    /// Whether it leaves out what it names.
    pub fn is_exclusion(&self) -> bool {
        self.pattern().starts_with('!')
    }

    /// Whether any process is one of those that it names.
    pub fn matches(&self, known: &[Namespec]) -> bool {
        let pattern = self.pattern().trim_start_matches('!');
        let mut selection = Selection::default();
        let added = match self {
            Self::Program(_) => selection.add(pattern),
            Self::Group(_) => selection.add_group(pattern),
        };
        added.is_ok() && known.iter().any(|namespec| selection.names(namespec))
    }

    /// What was probably meant, in the words of the same option, without `!`.
    pub fn suggestion(&self, known: &[Namespec]) -> Option<String> {
        let pattern = self.pattern().trim_start_matches('!');
        let groups = || known.iter().map(|namespec| namespec.group.0.as_str());
        let processes = || known.iter().map(|namespec| namespec.process.0.as_str());
        let near = |word: &str| near(word, groups());
        match (self, pattern.split_once(':')) {
            (Self::Group(_), _) => {
                let of_process = known.iter().find(|namespec| namespec.process.0 == pattern);
                near(pattern)
                    .or_else(|| of_process.map(|namespec| namespec.group.0.as_str()))
                    .map(str::to_owned)
            }
            (Self::Program(_), Some((group, "*"))) => match near(group) {
                Some(meant) => Some(format!("{meant}:*")),
                None => processes().find(|process| *process == group).map(str::to_owned),
            },
            (Self::Program(_), Some((group, process))) => {
                let in_group = |wanted: &str| {
                    let members = known.iter().filter(|namespec| namespec.group.0 == wanted);
                    let meant = self::near(process, members.map(|namespec| namespec.process.0.as_str()));
                    meant.map_or_else(|| format!("{wanted}:*"), |meant| format!("{wanted}:{meant}"))
                };
                let elsewhere = || known.iter().find(|namespec| namespec.process.0 == process);
                near(group).map(in_group).or_else(|| elsewhere().map(Namespec::qualified))
            }
            (Self::Program(_), None) => {
                // `web` and `web*` for the group whose processes are web_0, web_1.
                let bare = pattern.trim_end_matches(['*', '_']);
                match groups().find(|group| *group == bare) {
                    Some(group) => Some(format!("{group}:*")),
                    None => self::near(pattern, processes())
                        .map(str::to_owned)
                        .or_else(|| near(pattern).map(|group| format!("{group}:*"))),
                }
            }
        }
    }
}

/// The known word that is the same but for its case, or nearly the same.
fn near<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    known.clone().find(|known| known.eq_ignore_ascii_case(word)).or_else(|| suggest(word, known))
}

/// A line for each name that matches none of the known processes, and one more if nothing is left that the listener
/// could be about. Where no process is known there is nothing to say.
pub fn unmatched_patterns(named: &[NamePattern], known: &[Namespec]) -> Vec<String> {
    if known.is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for name in named.iter().filter(|name| !name.matches(known)).take(MAX_REPORTED) {
        let mark = if name.is_exclusion() { "!" } else { "" };
        let meant =
            name.suggestion(known).map(|meant| format!(": did you mean {mark}{meant}?")).unwrap_or_default();
        let what = if name.is_exclusion() {
            "leaves out nothing that is there"
        } else {
            "names nothing that is there"
        };
        lines.push(format!("{} {} {what}{meant}", name.option(), name.pattern()));
    }
    let mut taken = named.iter().filter(|name| !name.is_exclusion()).peekable();
    if taken.peek().is_some() && taken.all(|name| !name.matches(known)) {
        lines.push("no program that is named is there: this listener has nothing to do".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known() -> Vec<Namespec> {
        let names = [("web", "web_0"), ("web", "web_1"), ("shop", "front"), ("shop", "basket"), ("db", "db")];
        names.map(|(group, process)| Namespec::new(group, process)).to_vec()
    }

    fn said(name: NamePattern) -> String {
        unmatched_patterns(&[name, NamePattern::Program("db".into())], &known()).join("\n")
    }

    #[test]
    fn a_name_that_matches_nothing_is_told_with_what_was_meant() {
        let program = |pattern: &str| said(NamePattern::Program(pattern.into()));
        for (pattern, meant) in [
            ("web", "web:*"),
            ("web*", "web:*"),
            ("fornt", "front"),
            ("Front", "front"),
            ("wbe:*", "web:*"),
            ("shop:fornt", "shop:front"),
            ("shpo:front", "shop:front"),
            ("shop:checkout", "shop:*"),
            ("other:basket", "shop:basket"),
            ("db:*x", "db:*"),
            ("front:*", "front"),
        ] {
            assert_eq!(
                program(pattern),
                format!("--program {pattern} names nothing that is there: did you mean {meant}?")
            );
        }
        assert_eq!(program("nginx"), "--program nginx names nothing that is there");
        assert_eq!(
            program("!fornt"),
            "--program !fornt leaves out nothing that is there: did you mean !front?"
        );
        let group = |pattern: &str| said(NamePattern::Group(pattern.into()));
        assert_eq!(group("sohp"), "--group sohp names nothing that is there: did you mean shop?");
        assert_eq!(group("basket"), "--group basket names nothing that is there: did you mean shop?");
    }

    #[test]
    fn what_matches_is_not_told_and_a_listener_without_a_program_says_so() {
        for pattern in ["front", "shop:front", "shop:*", "*", "!front", "!shop:*"] {
            assert_eq!(said(NamePattern::Program(pattern.into())), "", "{pattern}");
        }
        let lines = unmatched_patterns(
            &[NamePattern::Program("x".into()), NamePattern::Program("!db".into())],
            &known(),
        );
        assert_eq!(
            lines.last().unwrap(),
            "no program that is named is there: this listener has nothing to do"
        );
        assert_eq!(unmatched_patterns(&[NamePattern::Program("x".into())], &[]), [""; 0]);
        assert_eq!(unmatched_patterns(&[], &known()), [""; 0]);
    }

    proptest! {
        #[test]
        fn what_was_meant_is_there(pattern in "!?[a-z_:*]{1,8}", is_group in any::<bool>()) {
            let name = if is_group { NamePattern::Group(pattern.clone()) } else { NamePattern::Program(pattern.clone()) };
            if let Some(meant) = name.suggestion(&known()) {
                let meant = if is_group { NamePattern::Group(meant) } else { NamePattern::Program(meant) };
                prop_assert!(meant.matches(&known()), "{} {:?}", pattern, meant);
            }
        }
    }
}
