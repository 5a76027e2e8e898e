//! [`Selection`], the processes that a listener's options select: NAME, GROUP:NAME, GROUP:*, and `!` to leave out.

use crate::process::name::Namespec;
use thiserror::Error;

/// One pattern, without its `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `NAME`: the process of that name in any group.
    Process(String),
    /// `GROUP:NAME`.
    Member(String, String),
    /// `GROUP:*`.
    Group(String),
    /// `*` or `*:*`.
    Every,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, SelectionError> {
        let fault = || SelectionError(text.to_owned());
        match text.split_once(':') {
            None if text.is_empty() => Err(fault()),
            None if text == "*" => Ok(Self::Every),
            None => Ok(Self::Process(text.to_owned())),
            Some(("*", "*")) => Ok(Self::Every),
            Some(("" | "*", _) | (_, "")) => Err(fault()),
            Some((group, "*")) => Ok(Self::Group(group.to_owned())),
            Some((group, process)) => Ok(Self::Member(group.to_owned(), process.to_owned())),
        }
    }

    fn matches(&self, namespec: &Namespec) -> bool {
        match self {
            Self::Process(name) => namespec.process.0 == *name,
            Self::Member(group, name) => namespec.group.0 == *group && namespec.process.0 == *name,
            Self::Group(group) => namespec.group.0 == *group,
            Self::Every => true,
        }
    }
}

/// A pattern that is none of NAME, GROUP:NAME and GROUP:*.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read {0:?}: not NAME, GROUP:NAME or GROUP:*, with or without a leading !")]
pub struct SelectionError(String);

/// A set of processes by patterns.
///
/// With no pattern to take in, every process is in; a `!` pattern always leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Selection {
    /// Adds one pattern.
    pub fn add(&mut self, text: &str) -> Result<(), SelectionError> {
        match text.strip_prefix('!') {
            Some(pattern) => self.exclude.push(Pattern::parse(pattern)?),
            None => self.include.push(Pattern::parse(text)?),
        }
        Ok(())
    }

    /// Adds all processes of a group; `!GROUP` leaves them out.
    pub fn add_group(&mut self, text: &str) -> Result<(), SelectionError> {
        let (list, group) = match text.strip_prefix('!') {
            Some(group) => (&mut self.exclude, group),
            None => (&mut self.include, text),
        };
        if group.is_empty() || group.contains(':') {
            return Err(SelectionError(text.to_owned()));
        }
        list.push(Pattern::Group(group.to_owned()));
        Ok(())
    }

    /// Takes in every process but those left out, as `-a` does.
    pub fn include_all(&mut self) {
        self.include = vec![Pattern::Every];
    }

    /// Whether the process is named by a pattern and not left out.
    pub fn names(&self, namespec: &Namespec) -> bool {
        let hit = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(namespec));
        hit(&self.include) && !hit(&self.exclude)
    }

    /// Whether the process is in: named, or nothing is named at all, and not left out.
    pub fn includes(&self, namespec: &Namespec) -> bool {
        let left_out = self.exclude.iter().any(|pattern| pattern.matches(namespec));
        !left_out && (self.include.is_empty() || self.names(namespec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Selection {
        let mut selection = Selection::default();
        for pattern in patterns {
            selection.add(pattern).unwrap();
        }
        selection
    }

    #[test]
    fn no_pattern_means_every_process() {
        assert!(selection(&[]).includes(&Namespec::new("a", "b")));
        assert!(!selection(&[]).names(&Namespec::new("a", "b")));
    }

    #[test]
    fn a_bare_name_is_found_in_any_group() {
        assert!(selection(&["b"]).includes(&Namespec::new("a", "b")));
        assert!(!selection(&["b"]).includes(&Namespec::new("b", "c")));
    }

    #[test]
    fn a_group_can_be_taken_with_one_member_left_out() {
        let selection = selection(&["web:*", "!web:debug"]);
        assert!(selection.includes(&Namespec::new("web", "one")));
        assert!(!selection.includes(&Namespec::new("web", "debug")));
        assert!(!selection.includes(&Namespec::new("db", "one")));
    }

    #[test]
    fn leaving_out_alone_keeps_the_rest() {
        let selection = selection(&["!web:*"]);
        assert!(!selection.includes(&Namespec::new("web", "one")));
        assert!(selection.includes(&Namespec::new("db", "one")));
    }

    #[test]
    fn a_pattern_with_an_empty_part_is_refused() {
        for text in ["", "!", "web:", ":x", "*:x"] {
            assert!(Selection::default().add(text).is_err(), "{text}");
        }
        assert!(Selection::default().add_group("a:b").is_err());
    }
}
