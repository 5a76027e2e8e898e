//! The files of a configuration: read, joined by `[include]`, with the faults of their form.

mod bytes;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::account::Accounts;
use crate::config::Notes;
use crate::glob::{MAX_EXAMINED, TooManyFiles, glob};
use crate::host_env::HostEnv;
use crate::ini::{Ini, SyntaxError};
use crate::loader::context::LoadContext;
use crate::loader::fault::{ConfigFault, ConfigFaults};
use crate::path::{absolute, parent, resolve, without_dots};
use crate::section::include;
use crate::value::shown;

/// The most that a file may hold, in bytes; one of 10,000 programs has 2 MB.
const MAX_FILE: u64 = 16 << 20;
/// The most that all files together may hold, in bytes.
const MAX_TOTAL: u64 = 64 << 20;

/// The most files with faults that are reported.
const MAX_FAULTS: usize = 1000;

/// What was read.
pub(crate) struct SourceFiles {
    /// The sections of all files.
    pub(crate) ini: Ini,
    /// The files' names; the first is the configuration file as it was named.
    pub(crate) files: Vec<String>,
    /// The folder of the configuration file.
    pub(crate) here: String,
    /// What the include says.
    pub(crate) notes: Notes,
    /// Faults of the form, behind which the rest was read all the same.
    pub(crate) faults: Vec<ConfigFault>,
}

/// Which files to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncludeMode {
    /// The file, and what it includes.
    Follow,
    /// The file alone.
    Ignore,
}

/// A line of a file, from 1, for messages about what the reader of the form has left out.
pub(crate) fn line_of(file: &str, line: u32) -> Option<String> {
    let text = read(Path::new(file), &mut MAX_FILE.clone()).ok()?;
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    text.lines().nth(at).map(str::to_owned)
}

/// Whether users other than its owner and its group can read a file.
pub(crate) fn is_readable_by_others(file: &str) -> bool {
    fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Reads the configuration file. Fails where the sections cannot be checked.
pub(crate) fn open(file: &Path, scope: IncludeMode, machine: &HostEnv) -> Result<SourceFiles, ConfigFaults> {
    let name = file.to_string_lossy().into_owned();
    let here = without_dots(&absolute(parent(&name), machine));
    let (ini, files) = (Ini::default(), vec![name.clone()]);
    let mut source = SourceFiles { ini, files, here, notes: Notes::default(), faults: Vec::new() };
    let mut room = MAX_TOTAL;
    let path = resolve(&name, machine);
    let text = read(&path, &mut room).map_err(|error| ConfigFaults(vec![error.main(&name, &path)]))?;
    let mut whole = source.take(&text, 0);
    if scope == IncludeMode::Follow && whole == Whole::Yes && source.ini.section("include").is_some() {
        let here = source.here.clone();
        whole = source.replace_here(&here, 0);
        match source.included(machine) {
            Some(paths) => {
                for path in paths {
                    if source.include(&path, machine, &mut room) == Whole::No {
                        whole = Whole::No;
                    }
                    if source.faults.len() > MAX_FAULTS {
                        break;
                    }
                }
            }
            None => whole = Whole::No,
        }
    }
    match whole {
        Whole::Yes => Ok(source),
        Whole::No => Err(ConfigFaults(source.faults)),
    }
}

/// Whether a file could be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

impl SourceFiles {
    /// The files that are included, in order; `None` where the patterns match too much to look through, which is a fault.
    fn included(&mut self, machine: &HostEnv) -> Option<Vec<String>> {
        let accounts = Accounts::default();
        let mut context = LoadContext::new(&self.ini, &self.files, &self.here, machine, &accounts);
        let patterns = include::patterns(&mut context);
        let (notes, faults) = context.finish();
        self.notes.warnings.extend(notes.warnings);
        self.faults.extend(faults);
        let mut paths = Vec::new();
        let mut left = MAX_EXAMINED;
        for pattern in patterns {
            let mut found = match glob(&pattern, machine, &mut left) {
                Ok(found) => found,
                Err(TooManyFiles) => {
                    self.refuse_pattern(&pattern);
                    return None;
                }
            };
            if found.is_empty() {
                self.notes.warnings.push(format!("No file matches via include \"{pattern}\""));
            }
            found.sort();
            paths.extend(found);
        }
        Some(paths)
    }

    fn refuse_pattern(&mut self, pattern: &str) {
        let what = format!(
            "cannot look through more than {MAX_EXAMINED} files for those to include: {}",
            shown(pattern)
        );
        let place = self.ini.section("include").map(|section| section.place);
        let file = place.and_then(|place| self.files.get(place.file)).cloned().unwrap_or_default();
        self.faults.push(ConfigFault {
            file: PathBuf::from(file),
            line: place.map(|place| place.line),
            section: "include".to_owned(),
            key: "files".to_owned(),
            original: what.clone(),
            what,
        });
    }

    fn include(&mut self, path: &str, machine: &HostEnv, room: &mut u64) -> Whole {
        self.notes.infos.push(format!("Included extra file \"{path}\" during parsing"));
        let on_disk = resolve(path, machine);
        let text = match only_files(&on_disk).and_then(|()| read(&on_disk, room)) {
            Ok(text) => text,
            Err(error) => return self.refuse_included(path, &error),
        };
        let number = self.files.len();
        self.files.push(path.to_owned());
        let whole = self.take(&text, number);
        let here = without_dots(&absolute(parent(path), machine));
        match self.replace_here(&here, number) {
            Whole::Yes => whole,
            Whole::No => Whole::No,
        }
    }

    fn replace_here(&mut self, here: &str, number: usize) -> Whole {
        let Err(error) = self.ini.replace_here(here) else { return Whole::Yes };
        self.faults.push(about_file(&self.files[number], error.to_string(), error.to_string()));
        Whole::No
    }

    /// What cannot be opened is left out, as in the original, but not in silence.
    fn refuse_included(&mut self, path: &str, error: &ReadError) -> Whole {
        if let ReadError::Io(error) = error {
            self.notes.warnings.push(format!("{path}: cannot read the included file: {error}"));
            return Whole::Yes;
        }
        self.faults.push(error.included(path));
        Whole::No
    }

    fn take(&mut self, text: &str, number: usize) -> Whole {
        let Err(error) = self.ini.read(text, number) else { return Whole::Yes };
        let file = self.files[number].clone();
        // The original reports all lines in one message: it becomes that of the first fault, and not of a thousand.
        let mut words = Some(error.original(&file));
        let mut record = |line: u32, text: &str, what: String| {
            let alone = || SyntaxError::Lines(vec![(line, text.to_owned())]).original(&file);
            let original = words.take().unwrap_or_else(alone);
            self.faults.push(ConfigFault {
                file: PathBuf::from(&file),
                line: Some(line),
                section: String::new(),
                key: String::new(),
                what,
                original,
            });
        };
        match error {
            SyntaxError::NoSection { line, text } => {
                let bom = if text.starts_with('\u{feff}') {
                    " (the file begins with a byte order mark)"
                } else {
                    ""
                };
                record(
                    line,
                    &text,
                    format!("cannot read what stands before the first [section]{bom}: {}", told(&text)),
                );
                Whole::No
            }
            SyntaxError::Lines(lines) => {
                for (line, text) in lines {
                    record(line, &text, format!("cannot read as [section] or key=value: {}", told(&text)));
                }
                Whole::Yes
            }
        }
    }
}

fn told(line: &str) -> String {
    shown(line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}'))
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("cannot read the file: {0}")]
    Io(io::Error),
    #[error("cannot read the file: more than {} MiB", MAX_FILE >> 20)]
    Size,
    #[error("cannot read the file as UTF-8: {0}")]
    Encoding(String),
    /// A file in UTF-16, too, of which the original says what is wrong with its encoding.
    #[error("cannot use a NUL byte: line {line}")]
    Nul { line: usize, encoding: Option<String> },
}

impl ReadError {
    fn main(&self, file: &str, on_disk: &Path) -> ConfigFault {
        let original = match self {
            // Not only what is missing: also what is below a file, or in a folder that is closed to us.
            Self::Io(_) if !on_disk.exists() => format!("could not find config file {file}"),
            Self::Io(_) | Self::Size | Self::Nul { .. } | Self::Encoding(_) => self.words(file),
        };
        ConfigFault { original, ..self.included(file) }
    }

    fn included(&self, file: &str) -> ConfigFault {
        about_file(file, self.to_string(), self.words(file))
    }

    /// Supervisor's words, or Python's.
    fn words(&self, file: &str) -> String {
        match self {
            Self::Encoding(words) | Self::Nul { encoding: Some(words), .. } => words.clone(),
            Self::Io(_) | Self::Size | Self::Nul { encoding: None, .. } => {
                format!("could not read config file {file}")
            }
        }
    }
}

fn about_file(file: &str, what: String, original: String) -> ConfigFault {
    let (section, key) = (String::new(), String::new());
    ConfigFault { file: PathBuf::from(file), line: None, section, key, what, original }
}

/// A pipe or a device that a pattern happens to match is skipped. The configuration file itself may be one: it was
/// named on purpose.
fn only_files(path: &Path) -> Result<(), ReadError> {
    match fs::metadata(path) {
        Ok(data) if !data.is_file() => Err(ReadError::Io(io::Error::other("it is no regular file"))),
        // Whatever else is wrong with it, opening it says so.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Reads a text; `room` is how much all files may still hold.
fn read(path: &Path, room: &mut u64) -> Result<String, ReadError> {
    let most = MAX_FILE.min(*room);
    let bytes = bytes::read(path, most + 1).map_err(ReadError::Io)?;
    let size = bytes.len() as u64;
    if size > most {
        return Err(ReadError::Size);
    }
    *room -= size;
    let nul = bytes.iter().position(|byte| *byte == 0);
    let nul = nul.map(|at| 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count());
    match (String::from_utf8(bytes), nul) {
        (Ok(text), None) => Ok(text),
        (Ok(_), Some(line)) => Err(ReadError::Nul { line, encoding: None }),
        (Err(error), None) => Err(ReadError::Encoding(decode_error(error.as_bytes()))),
        (Err(error), Some(line)) => {
            Err(ReadError::Nul { line, encoding: Some(decode_error(error.as_bytes())) })
        }
    }
}

/// Python decodes this much at a time (bytes).
const PYTHONS_CHUNK: usize = 8192;

/// Python's words for bytes that are no UTF-8. Positions are those within what Python decodes at a time.
fn decode_error(bytes: &[u8]) -> String {
    let (mut start, mut end) = (0, 0);
    let error = loop {
        let is_end = end == bytes.len();
        end = bytes.len().min(end + PYTHONS_CHUNK);
        match std::str::from_utf8(&bytes[start..end]) {
            Ok(_) if is_end => return String::new(),
            Ok(_) => start = end,
            // Half a character waits for its other half, which may be at the end that there is none.
            Err(error) if error.error_len().is_none() && !is_end => start += error.valid_up_to(),
            Err(error) => break error,
        }
    };
    let (bytes, at) = (&bytes[start..end], error.valid_up_to());
    let first = bytes.get(at).copied().unwrap_or(0);
    let (length, why) = match error.error_len() {
        None => (bytes.len() - at, "unexpected end of data"),
        Some(1) if !(0xc2..0xf5).contains(&first) => (1, "invalid start byte"),
        Some(length) => (length, "invalid continuation byte"),
    };
    if length == 1 {
        return format!("'utf-8' codec can't decode byte {first:#04x} in position {at}: {why}");
    }
    format!("'utf-8' codec can't decode bytes in position {at}-{}: {why}", at + length - 1)
}

#[cfg(test)]
mod tests;
