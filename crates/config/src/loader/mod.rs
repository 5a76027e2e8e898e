//! The whole configuration: reads every section in the original's order, so that its first fault is ours.

pub(crate) mod context;
pub(crate) mod fault;
pub(crate) mod files;
mod panic;
pub(crate) mod raw;
pub(crate) mod unknown_keys;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::account::Accounts;
use crate::alerting::AlertingReport;
use crate::config::{Config, Notes};
use crate::ctl_settings::CtlSettings;
use crate::group::Group;
use crate::host_env::HostEnv;
use crate::ini::Section;
use crate::lint;
use crate::loader::context::LoadContext;
use crate::loader::fault::{ConfigFault, ConfigFaults};
use crate::loader::panic::catch_panic;
use crate::program::Program;
use crate::section::{self, eventlistener, fcgi, group, http, plugin, program, supervisorctl, supervisord};
use crate::settings::{Overrides, Settings};
use files::{IncludeMode, SourceFiles};

/// Reads a configuration file and all that it includes.
///
/// `overrides` is what the command line gave. Fails with every fault there is; the first is the one at which
/// Supervisor 4.3 would have stopped. A panic of the reader is a fault as well.
pub fn load(file: &Path, overrides: &Overrides, machine: &HostEnv) -> Result<Config, ConfigFaults> {
    load_with_notes(file, overrides, machine).config
}

/// A configuration that was read, and what there is to say of it even where it has faults.
#[derive(Debug)]
pub struct LoadReport {
    /// What [`load`] gives.
    pub config: Result<Config, ConfigFaults>,
    /// All that was noted on the way; the configuration has the same.
    pub notes: Notes,
    /// What it says of alerts.
    pub alerting: AlertingReport,
}

/// Reads as [`load`] does, and keeps the notes also where there are faults.
pub fn load_with_notes(file: &Path, overrides: &Overrides, machine: &HostEnv) -> LoadReport {
    catch_panic(file, || read(file, overrides, machine)).unwrap_or_else(|faults| LoadReport {
        config: Err(faults),
        notes: Notes::default(),
        alerting: AlertingReport::default(),
    })
}

fn read(file: &Path, overrides: &Overrides, machine: &HostEnv) -> Result<LoadReport, ConfigFaults> {
    let source = files::open(file, IncludeMode::Follow, machine)?;
    let accounts = Accounts::default();
    let mut context = LoadContext::new(&source.ini, &source.files, &source.here, machine, &accounts);
    let section = source.ini.section("supervisord");
    if section.is_none() {
        context.record(no_section(file, "supervisord"));
    }
    let draft = section.map(|section| supervisord::read(&mut context, section, overrides));
    let interfaces = plugin::interfaces(&mut context);
    let none = BTreeMap::new();
    let shared = draft.as_ref().map_or(&none, |draft| &draft.settings.environment);
    let groups = groups(&mut context, shared);
    let servers = http::read(&mut context);
    let settings = finish(&mut context, section, draft, overrides);
    if let Some(settings) = &settings {
        lint::check_identifier(&mut context, &settings.identifier);
    }
    lint::check_ctl_url(&mut context);
    lint::check_listeners(
        &mut context,
        &lint::LintInput { groups: &groups, servers: &servers, interfaces: &interfaces },
    );
    unknown_keys::warn_unknown_keys(&mut context);
    let origins = std::mem::take(&mut context.origins);
    let (mut notes, later) = context.finish();
    let wanted = || {
        let mut context = LoadContext::new(&source.ini, &source.files, &source.here, machine, &accounts);
        section::alerting::is_wanted(&context).then(|| {
            let alerting = section::alerting::read(&mut context, &groups, &origins);
            let (notes, mut faults) = context.finish();
            faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            AlertingReport { alerting, faults, warnings: notes.warnings }
        })
    };
    let alerting = wanted();
    let watch = alerting.as_ref().map(AlertingReport::summary);
    let alerting = alerting.unwrap_or_default();
    let SourceFiles { notes: earlier, faults: mut all, .. } = source;
    all.extend(later);
    notes.warnings.splice(0..0, earlier.warnings);
    notes.infos.splice(0..0, earlier.infos);
    notes.warnings.extend(alerting.faults.iter().map(ToString::to_string));
    notes.warnings.extend(alerting.warnings.iter().cloned());
    let config = match settings {
        Some(settings) if all.is_empty() => Ok(Config {
            file: file.to_owned(),
            settings,
            groups,
            servers,
            interfaces,
            watch,
            notes: notes.clone(),
        }),
        _ => Err(ConfigFaults(all)),
    };
    Ok(LoadReport { config, notes, alerting })
}

/// Reads `[supervisorctl]` of a configuration file; what the file includes does not count for it.
pub fn load_ctl_settings(file: &Path, machine: &HostEnv) -> Result<CtlSettings, ConfigFaults> {
    catch_panic(file, || read_ctl_settings(file, machine))
}

fn read_ctl_settings(file: &Path, machine: &HostEnv) -> Result<CtlSettings, ConfigFaults> {
    let source = files::open(file, IncludeMode::Ignore, machine)?;
    let accounts = Accounts::default();
    let mut context = LoadContext::new(&source.ini, &source.files, &source.here, machine, &accounts);
    let Some(section) = source.ini.section("supervisorctl") else {
        return Err(ConfigFaults(vec![no_section(file, "supervisorctl")]));
    };
    let control = supervisorctl::read(&mut context, section);
    plugin::plugins(&mut context);
    let (notes, later) = context.finish();
    let mut all = source.faults;
    all.extend(later);
    if all.is_empty() { Ok(CtlSettings { notes, ..control }) } else { Err(ConfigFaults(all)) }
}

fn no_section(file: &Path, section: &str) -> ConfigFault {
    ConfigFault {
        file: PathBuf::from(file),
        line: None,
        section: String::new(),
        key: String::new(),
        what: format!("cannot do without a section: [{section}]"),
        original: format!(".ini file does not include {section} section"),
    }
}

fn finish<'a>(
    context: &mut LoadContext<'a>,
    section: Option<&'a Section>,
    draft: Option<supervisord::PartialSettings>,
    overrides: &Overrides,
) -> Option<Settings> {
    Some(draft?.finish(context, section?, overrides))
}

/// Every group, by priority and name.
fn groups(context: &mut LoadContext<'_>, shared: &BTreeMap<String, String>) -> Vec<Group> {
    let sections = context.ini.sections();
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for section in with_prefix(sections, "group:") {
        groups.push(group::read(context, section, shared, &mut taken));
    }
    for section in with_prefix(sections, "program:").filter(|section| !taken.contains(section.name.as_str()))
    {
        groups.push(program::read(context, section, shared));
    }
    for section in with_prefix(sections, "eventlistener:") {
        groups.push(eventlistener::read(context, section, shared));
    }
    for section in
        with_prefix(sections, "fcgi-program:").filter(|section| !taken.contains(section.name.as_str()))
    {
        groups.push(fcgi::read(context, section, shared));
    }
    groups.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let mut seen = HashSet::new();
    groups.retain(|group| {
        let new = seen.insert(group.name.clone());
        if !new {
            context
                .warn(format!("There is more than one group {}, the first by priority is used", group.name));
        }
        new
    });
    for group in &mut groups {
        group.programs = remove_duplicates(context, &group.name.0, std::mem::take(&mut group.programs));
    }
    groups
}

fn with_prefix<'a>(sections: &'a [Section], prefix: &'static str) -> impl Iterator<Item = &'a Section> {
    sections.iter().filter(move |section| section.name.starts_with(prefix))
}

/// Of processes of one name in a group, the last counts, in the place of the first.
fn remove_duplicates(context: &mut LoadContext<'_>, group: &str, programs: Vec<Program>) -> Vec<Program> {
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
                context.warn(format!("There is more than one process {group}:{name}, the last one is used"));
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
