//! [`LoadContext`]: reads values out of the sections and collects the faults and notes on the way.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::PathBuf;

use ironlance_core::Namespec;
use ironlance_core::text::python;

use crate::account::Accounts;
use crate::config::Notes;
use crate::expansion::percent_format::FormatValue;
use crate::expansion::{EnvVariables, ExpansionNames, expand};
use crate::host_env::HostEnv;
use crate::ini::{Ini, IniEntry, Section, SourceLocation};
use crate::loader::fault::ConfigFault;
use crate::value::{InvalidValue, shown};

/// The most faults that are recorded.
const MAX_FAULTS: usize = 1000;

/// The most that all programs together may take (bytes), 1 KiB each and their commands and environments.
const MAX_PROGRAM_BYTES: usize = 256 << 20;

/// The most text that all values together are read from and expanded to (bytes): a second or so of work. What `[DEFAULT]`
/// lends counts in every section, and what a program says in each of its processes.
const MAX_WORK: usize = 1 << 30;
/// What a section or a process costs beside its texts (bytes of work).
pub(crate) const WORK_PER_SECTION: usize = 4096;
/// What a fault costs, one that is known already too (bytes of work).
const WORK_PER_FAULT: usize = 1024;
/// The longest words of the original that are kept (bytes): they repeat the whole value, and list every variable.
const MAX_ORIGINAL_MESSAGE: usize = 64 << 10;

/// What all sections share while they are read.
pub(crate) struct LoadContext<'a> {
    /// The sections.
    pub(crate) ini: &'a Ini,
    /// The files by the numbers in a [`SourceLocation`]; the first is the configuration file as it was named.
    pub(crate) files: &'a [String],
    /// The folder of the configuration file, for `%(here)s`.
    pub(crate) here: &'a str,
    /// The machine and the process.
    pub(crate) host: &'a HostEnv,
    /// The users.
    pub(crate) accounts: &'a Accounts,
    /// The `ENV_x` names.
    pub(crate) variables: EnvVariables,
    /// What to log.
    pub(crate) notes: Notes,
    /// Which section each process comes from; only where something is asked of alerts.
    pub(crate) origins: Vec<ProcessOrigin<'a>>,
    faults: Vec<ConfigFault>,
    seen: HashSet<(String, String, String)>,
    room: usize,
    work: usize,
}

/// A section, and how its values are read.
#[derive(Clone)]
pub(crate) struct SectionScope<'a> {
    /// The section.
    pub(crate) section: &'a Section,
    /// The names its values may use.
    pub(crate) names: ExpansionNames,
    /// How the original words its faults.
    pub(crate) wording: Wording,
}

/// The section that a process comes from, and its number in it.
#[derive(Clone, Debug)]
pub(crate) struct ProcessOrigin<'a> {
    /// The process.
    pub(crate) name: Namespec,
    /// Its section.
    pub(crate) section: &'a Section,
    /// Its number, from `numprocs_start`.
    pub(crate) number: i64,
    /// `numprocs`.
    pub(crate) count: i64,
}

impl ProcessOrigin<'_> {
    /// The names that values of the process may use, beside those of every section.
    pub(crate) fn names(&self) -> ExpansionNames {
        let program = self.section.name.split_once(':').map_or("", |(_, label)| label);
        let mut names =
            ExpansionNames::default().with("program_name", program).with("group_name", &self.name.group.0);
        names.set("process_num", FormatValue::Number(self.number));
        names.set("numprocs", FormatValue::Number(self.count));
        names
    }
}

/// How the original words the faults of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// The fault only.
    Plain,
    /// The fault, the section and the file.
    WithSection,
}

/// A fault was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultRecorded;

impl<'a> SectionScope<'a> {
    /// A section whose values may use these names.
    pub(crate) fn new(section: &'a Section, names: ExpansionNames) -> Self {
        Self { section, names, wording: Wording::Plain }
    }

    /// What follows the colon in the section's name.
    pub(crate) fn label(&self) -> &'a str {
        self.section.name.split_once(':').map_or("", |(_, label)| label)
    }
}

fn shown_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { shown(key) }
}

impl<'a> LoadContext<'a> {
    /// Begins with no faults and no notes.
    pub(crate) fn new(
        ini: &'a Ini,
        files: &'a [String],
        here: &'a str,
        host: &'a HostEnv,
        accounts: &'a Accounts,
    ) -> Self {
        let variables = EnvVariables::new(&host.environment);
        let (notes, faults, seen) = (Notes::default(), Vec::new(), HashSet::new());
        let origins = Vec::new();
        let (room, work) = (MAX_PROGRAM_BYTES, MAX_WORK);
        Self { ini, files, here, host, accounts, variables, notes, origins, faults, seen, room, work }
    }

    /// How many faults there are by now.
    pub(crate) fn fault_count(&self) -> usize {
        self.faults.len()
    }

    /// Whether no more faults are taken, or no more programs: what is left need not be read.
    pub(crate) fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FAULTS || self.room == 0 || self.work == 0
    }

    /// Counts work (bytes of text); the first that is too much is a fault, and what is left is not done.
    pub(crate) fn take_work(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
        bytes: usize,
    ) -> Result<(), FaultRecorded> {
        if let Some(left) = self.work.checked_sub(bytes).filter(|left| *left > 0) {
            self.work = left;
            return Ok(());
        }
        if self.work > 0 {
            self.work = 0;
            let what =
                format!("cannot read so much: all values together take more than {} MiB", MAX_WORK >> 20);
            self.refuse(scope, key, InvalidValue { original: what.clone(), what });
        }
        Err(FaultRecorded)
    }

    /// Reserves room for a program of `bytes`; `false` when all programs together would take too much.
    pub(crate) fn take_room(&mut self, bytes: usize) -> bool {
        let left = self.room.checked_sub(bytes).filter(|left| *left > 0);
        self.room = left.unwrap_or(0);
        left.is_some()
    }

    /// Gives up the notes and the faults.
    pub(crate) fn finish(self) -> (Notes, Vec<ConfigFault>) {
        (self.notes, self.faults)
    }

    /// The value of a key as it stands.
    pub(crate) fn raw(&self, scope: &SectionScope<'a>, key: &str) -> Option<&'a IniEntry> {
        self.ini.get(scope.section, key)
    }

    /// The value of a key, expanded; `None` where it is not set.
    pub(crate) fn text(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
    ) -> Result<Option<Cow<'a, str>>, FaultRecorded> {
        let Some(entry) = self.raw(scope, key) else { return Ok(None) };
        self.take_work(scope, key, entry.value.len())?;
        if !entry.value.contains('%') {
            return Ok(Some(Cow::Borrowed(&entry.value)));
        }
        let title = format!("{}.{key}", scope.section.name);
        self.expanded(scope, key, &entry.value, &title).map(Some)
    }

    /// Expands a text that belongs to a key; `title` is what the original's message calls it.
    pub(crate) fn expanded<'t>(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
        text: &'t str,
        title: &str,
    ) -> Result<Cow<'t, str>, FaultRecorded> {
        self.take_work(scope, key, text.len())?;
        match expand(text, &scope.names, &self.variables, title) {
            Ok(expanded) => {
                self.take_work(scope, key, expanded.text.len())?;
                if expanded.has_bare_percent {
                    self.warn_at(scope, key, "has a % without a (name), which is left as it is; write %%");
                }
                Ok(expanded.text)
            }
            Err(error) => {
                Err(self.refuse(scope, key, InvalidValue { what: error.what, original: error.original }))
            }
        }
    }

    /// Expands a text for the second time, as the original does with some keys. Where that fails, what the first time gave
    /// is taken: `100%%` was written for `100%`, and nothing else was meant.
    pub(crate) fn expanded_again(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
        once: Cow<'a, str>,
    ) -> Cow<'a, str> {
        if !once.contains('%') || self.take_work(scope, key, once.len()).is_err() {
            return once;
        }
        let twice = expand(&once, &scope.names, &self.variables, key);
        match twice {
            Ok(twice) if !twice.has_bare_percent => {
                let text = twice.text.into_owned();
                let _ = self.take_work(scope, key, text.len());
                Cow::Owned(text)
            }
            Ok(_) | Err(_) => {
                self.hint_at(
                    scope,
                    key,
                    "has a percent sign that Supervisor 4.3 does not take: it expands this key twice, so that there a percent \
                     sign is written %%%%; here it stands for itself",
                );
                once
            }
        }
    }

    /// The value of a key, expanded and converted; `None` where it is not set or wrong.
    pub(crate) fn optional<T>(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
        convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let text = self.text(scope, key).ok()??;
        match convert(&text) {
            Ok(value) => Some(value),
            Err(bad) => {
                self.refuse(scope, key, bad);
                None
            }
        }
    }

    /// The same, with something to go on with where it is not set or wrong.
    pub(crate) fn or<T>(
        &mut self,
        scope: &SectionScope<'a>,
        key: &str,
        default: T,
        convert: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> T {
        self.optional(scope, key, convert).unwrap_or(default)
    }

    /// Records that a key (or with an empty one the section) cannot be used.
    pub(crate) fn refuse(&mut self, scope: &SectionScope<'a>, key: &str, bad: InvalidValue) -> FaultRecorded {
        let place = self.raw(scope, key).map_or(scope.section.place, |entry| entry.place);
        let original = match scope.wording {
            Wording::Plain => bad.original,
            Wording::WithSection => {
                let section = python::repr(&scope.section.name);
                let file = python::repr(self.file(scope.section.place));
                format!("{} in section {section} (file: {file})", bad.original)
            }
        };
        self.record(ConfigFault {
            file: PathBuf::from(self.file(place)),
            line: Some(place.line),
            section: shown(&scope.section.name),
            key: shown_key(key),
            what: bad.what,
            original,
        });
        FaultRecorded
    }

    /// Records a fault; one that is known already is not repeated.
    pub(crate) fn record(&mut self, mut fault: ConfigFault) {
        self.work = self.work.saturating_sub(fault.what.len() + fault.original.len() + WORK_PER_FAULT);
        let words = &mut fault.original;
        if words.len() > MAX_ORIGINAL_MESSAGE {
            words.truncate(words.floor_char_boundary(MAX_ORIGINAL_MESSAGE));
            words.push('…');
        }
        let id = (fault.section.clone(), fault.key.clone(), fault.what.clone());
        if self.faults.len() < MAX_FAULTS && self.seen.insert(id) {
            self.faults.push(fault);
        }
    }

    /// Adds a warning; one that is known already is not repeated.
    pub(crate) fn warn(&mut self, text: String) {
        if self.notes.warnings.len() < MAX_FAULTS && !self.notes.warnings.contains(&text) {
            self.notes.warnings.push(text);
        }
    }

    /// Adds a warning that begins with where the key stands: `file:line: [section] key …`.
    pub(crate) fn warn_at(&mut self, scope: &SectionScope<'a>, key: &str, text: &str) {
        self.warn(self.at(scope, key, text));
    }

    /// Adds a hint of the same form.
    pub(crate) fn hint_at(&mut self, scope: &SectionScope<'a>, key: &str, text: &str) {
        let text = self.at(scope, key, text);
        if self.notes.hints.len() < MAX_FAULTS && !self.notes.hints.contains(&text) {
            self.notes.hints.push(text);
        }
    }

    fn at(&self, scope: &SectionScope<'a>, key: &str, text: &str) -> String {
        let place = self.raw(scope, key).map_or(scope.section.place, |entry| entry.place);
        let key = if key.is_empty() { String::new() } else { format!(" {}", shown_key(key)) };
        let section = shown(&scope.section.name);
        format!("{}:{}: [{section}]{key} {text}", self.file(place), place.line)
    }

    /// The file that a place is in, as it was named.
    pub(crate) fn file(&self, place: SourceLocation) -> &str {
        self.files.get(place.file).map_or("", String::as_str)
    }
}
