//! Which programs a command is about: [`ProcessFilter`], filled from `--program`, `--group` and `--any`.

use ironlance_core::Selection;
use ironlance_core::listener::name_check::NamePattern;
use ironlance_core::process::selection::SelectionError;

/// Which programs a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// What the patterns select.
    pub selection: Selection,
    /// The values of `--program` as given and in their order, with the excluded ones (`!`).
    pub programs: Vec<String>,
    /// The values of `--group` likewise.
    pub groups: Vec<String>,
    /// `--any` was given: every program, whatever else is named.
    pub any: bool,
}

impl ProcessFilter {
    /// Adds a value of `--program`: NAME, GROUP:NAME or GROUP:*, excluded by `!`.
    pub fn add_program(&mut self, pattern: &str) -> Result<(), SelectionError> {
        self.selection.add(pattern)?;
        self.programs.push(pattern.to_owned());
        Ok(())
    }

    /// Adds a value of `--group`: GROUP, excluded by `!`.
    pub fn add_group(&mut self, group: &str) -> Result<(), SelectionError> {
        self.selection.add_group(group)?;
        self.groups.push(group.to_owned());
        Ok(())
    }

    /// The given names that have an effect: with `--any` only the excluded ones.
    pub fn named(&self) -> Vec<NamePattern> {
        let programs = self.programs.iter().cloned().map(NamePattern::Program);
        let groups = self.groups.iter().cloned().map(NamePattern::Group);
        programs.chain(groups).filter(|name| !self.any || name.is_exclusion()).collect()
    }

    /// The filter after all options have been read: `--any` overrides the names, but not the exclusions.
    #[must_use]
    pub fn resolved(mut self) -> Self {
        if self.any {
            self.selection.include_all();
        }
        self
    }
}
