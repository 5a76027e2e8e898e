//! Which programs a command is about: `--program`, `--group`, and `!` to leave out.

use ironlance_core::Selection;
use ironlance_core::listener::name_check::NamePattern;

use super::option_error::{OptionError, OptionRow};
use ironlance_core::cli::{
    OptionArg, Takes,
    table::{original, ours},
};

/// Which programs a command is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessFilter {
    /// What the patterns select.
    pub selection: Selection,
    /// The values of `--program` as they were given and in their order, those with `!` among them.
    pub programs: Vec<String>,
    /// The values of `--group` likewise.
    pub groups: Vec<String>,
    /// `--any` was given: every program, whatever else is named.
    pub any: bool,
}

impl ProcessFilter {
    /// The names that were given; with `--any` only those left out are of weight.
    pub fn named(&self) -> Vec<NamePattern> {
        let programs = self.programs.iter().cloned().map(NamePattern::Program);
        let groups = self.groups.iter().cloned().map(NamePattern::Group);
        programs.chain(groups).filter(|name| !self.any || name.is_exclusion()).collect()
    }

    /// The same when all options have been read: `--any` overrides the names, not what is left out.
    pub(super) fn resolved(mut self) -> Self {
        if self.any {
            self.selection.include_all();
        }
        self
    }
}

fn add_program<T: AsMut<ProcessFilter>>(target: &mut T, given: &OptionArg) -> Result<(), OptionError> {
    let who = target.as_mut();
    who.selection.add(given.value()).map_err(|error| unusable_pattern(given, &error))?;
    who.programs.push(given.value().to_owned());
    Ok(())
}

fn add_group<T: AsMut<ProcessFilter>>(target: &mut T, given: &OptionArg) -> Result<(), OptionError> {
    let who = target.as_mut();
    who.selection.add_group(given.value()).map_err(|error| unusable_pattern(given, &error))?;
    who.groups.push(given.value().to_owned());
    Ok(())
}

fn unusable_pattern(given: &OptionArg, error: &dyn std::fmt::Display) -> OptionError {
    OptionError::Unusable(format!("cannot use the value of {}: {error}", given.name))
}

/// `-p` and `-a` of crashmail and httpok.
pub(super) fn superlance_rows<T: AsMut<ProcessFilter>>(
    program_help: &'static str,
    any_help: &'static str,
) -> Vec<OptionRow<T>> {
    vec![
        original('p', "program", Takes::Value("PATTERN"), program_help, add_program),
        original('a', "any", Takes::Nothing, any_help, |target, _| {
            target.as_mut().any = true;
            Ok(())
        }),
    ]
}

/// `--group GROUP`.
pub(super) fn group_row<T: AsMut<ProcessFilter>>(help: &'static str) -> OptionRow<T> {
    ours("group", Takes::Value("GROUP"), help, add_group)
}

/// `--program PATTERN` where superlance has none.
pub(super) fn program_row<T: AsMut<ProcessFilter>>(help: &'static str) -> OptionRow<T> {
    ours("program", Takes::Value("PATTERN"), help, add_program)
}
