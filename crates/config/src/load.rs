//! The whole configuration: reads every section in the original's order, so that its first fault is ours.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::account::Accounts;
use crate::config::{Config, Notes};
use crate::control::Control;
use crate::fault::{Fault, Faults};
use crate::group::Group;
use crate::guard::guarded;
use crate::hint;
use crate::ini::Section;
use crate::lint;
use crate::program::Program;
use crate::reading::Reading;
use crate::section::{eventlistener, fcgi, group, http, plugin, program, supervisorctl, supervisord};
use crate::settings::{Overrides, Settings};
use crate::source::{self, Scope, Source};
use crate::surroundings::Surroundings;

/// Reads a configuration file and all that it includes.
///
/// `overrides` is what the command line gave. Fails with every fault there is; the first is the one at which
/// Supervisor 4.3 would have stopped. A panic of the reader is a fault as well.
pub fn load(file: &Path, overrides: &Overrides, machine: &Surroundings) -> Result<Config, Faults> {
    examine(file, overrides, machine).config
}

/// A configuration that was read, and what there is to say of it even where it has faults.
#[derive(Debug)]
pub struct Examined {
    /// What [`load`] gives.
    pub config: Result<Config, Faults>,
    /// All that was noted on the way; the configuration has the same.
    pub notes: Notes,
}

/// Reads as [`load`] does, and keeps the notes also where there are faults.
pub fn examine(file: &Path, overrides: &Overrides, machine: &Surroundings) -> Examined {
    guarded(file, || read(file, overrides, machine))
        .unwrap_or_else(|faults| Examined { config: Err(faults), notes: Notes::default() })
}

fn read(file: &Path, overrides: &Overrides, machine: &Surroundings) -> Result<Examined, Faults> {
    let source = source::open(file, Scope::WithIncludes, machine)?;
    let accounts = Accounts::default();
    let mut reading = Reading::new(&source.ini, &source.files, &source.here, machine, &accounts);
    let section = source.ini.section("supervisord");
    if section.is_none() {
        reading.record(no_section(file, "supervisord"));
    }
    let draft = section.map(|section| supervisord::read(&mut reading, section, overrides));
    let interfaces = plugin::interfaces(&mut reading);
    let none = BTreeMap::new();
    let shared = draft.as_ref().map_or(&none, |draft| &draft.settings.environment);
    let groups = groups(&mut reading, shared);
    let servers = http::read(&mut reading);
    let settings = finish(&mut reading, section, draft, overrides);
    if let Some(settings) = &settings {
        lint::identifier(&mut reading, &settings.identifier);
    }
    lint::control(&mut reading);
    lint::listeners(
        &mut reading,
        &lint::Whole { groups: &groups, servers: &servers, interfaces: &interfaces },
    );
    hint::keys(&mut reading);
    let (mut notes, later) = reading.close();
    let Source { notes: earlier, faults: mut all, .. } = source;
    all.extend(later);
    notes.warnings.splice(0..0, earlier.warnings);
    notes.infos.splice(0..0, earlier.infos);
    let config = match settings {
        Some(settings) if all.is_empty() => {
            Ok(Config { file: file.to_owned(), settings, groups, servers, interfaces, notes: notes.clone() })
        }
        _ => Err(Faults(all)),
    };
    Ok(Examined { config, notes })
}

/// Reads `[supervisorctl]` of a configuration file; what the file includes does not count for it.
pub fn load_control(file: &Path, machine: &Surroundings) -> Result<Control, Faults> {
    guarded(file, || read_control(file, machine))
}

fn read_control(file: &Path, machine: &Surroundings) -> Result<Control, Faults> {
    let source = source::open(file, Scope::Alone, machine)?;
    let accounts = Accounts::default();
    let mut reading = Reading::new(&source.ini, &source.files, &source.here, machine, &accounts);
    let Some(section) = source.ini.section("supervisorctl") else {
        return Err(Faults(vec![no_section(file, "supervisorctl")]));
    };
    let control = supervisorctl::read(&mut reading, section);
    plugin::plugins(&mut reading);
    let (notes, later) = reading.close();
    let mut all = source.faults;
    all.extend(later);
    if all.is_empty() { Ok(Control { notes, ..control }) } else { Err(Faults(all)) }
}

fn no_section(file: &Path, section: &str) -> Fault {
    Fault {
        file: PathBuf::from(file),
        line: None,
        section: String::new(),
        key: String::new(),
        what: format!("cannot do without a section: [{section}]"),
        original: format!(".ini file does not include {section} section"),
    }
}

fn finish<'a>(
    reading: &mut Reading<'a>,
    section: Option<&'a Section>,
    draft: Option<supervisord::Draft>,
    overrides: &Overrides,
) -> Option<Settings> {
    Some(draft?.finish(reading, section?, overrides))
}

/// Every group, by priority and name.
fn groups(reading: &mut Reading<'_>, shared: &BTreeMap<String, String>) -> Vec<Group> {
    let sections = reading.ini.sections();
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for section in with_prefix(sections, "group:") {
        groups.push(group::read(reading, section, shared, &mut taken));
    }
    for section in with_prefix(sections, "program:").filter(|section| !taken.contains(section.name.as_str()))
    {
        groups.push(program::read(reading, section, shared));
    }
    for section in with_prefix(sections, "eventlistener:") {
        groups.push(eventlistener::read(reading, section, shared));
    }
    for section in
        with_prefix(sections, "fcgi-program:").filter(|section| !taken.contains(section.name.as_str()))
    {
        groups.push(fcgi::read(reading, section, shared));
    }
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let mut seen = HashSet::new();
    groups.retain(|group| {
        let new = seen.insert(group.name.clone());
        if !new {
            reading
                .warn(format!("There is more than one group {}, the first by priority is used", group.name));
        }
        new
    });
    for group in &mut groups {
        group.programs = without_doubles(reading, &group.name.0, std::mem::take(&mut group.programs));
    }
    groups
}

fn with_prefix<'a>(sections: &'a [Section], prefix: &'static str) -> impl Iterator<Item = &'a Section> {
    sections.iter().filter(move |section| section.name.starts_with(prefix))
}

/// Of processes of one name in a group, the last counts, in the place of the first.
fn without_doubles(reading: &mut Reading<'_>, group: &str, programs: Vec<Program>) -> Vec<Program> {
    let names: HashSet<_> = programs.iter().map(|program| &program.name).collect();
    if names.len() == programs.len() {
        return programs;
    }
    let mut places = BTreeMap::new();
    let mut kept: Vec<Program> = Vec::new();
    for program in programs {
        match places.get(&program.name) {
            None => {
                places.insert(program.name.clone(), kept.len());
                kept.push(program);
            }
            Some(at) => {
                let name = &program.name;
                reading.warn(format!("There is more than one process {group}:{name}, the last one is used"));
                kept[*at] = program;
            }
        }
    }
    kept
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
