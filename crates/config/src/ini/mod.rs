//! The INI dialect of supervisord.conf: Python's RawConfigParser, not strict, with `;` and `#` beginning comments
//! also behind a space within a line. Every value keeps the file and the line of its key.

use std::collections::HashMap;

use ironlance_core::text::python;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLocation {
    /// The number of the file, as given to [`Ini::read`].
    pub file: usize,
    /// From 1.
    pub line: u32,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IniEntry {
    /// In lower case.
    pub key: String,
    /// Lines joined by `\n`, comments and surrounding space taken away.
    pub value: String,
    /// Where the key stands.
    pub place: SourceLocation,
}

/// A section; one that occurs again goes on where it left off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What stands between the brackets.
    pub name: String,
    /// Where it stands first.
    pub place: SourceLocation,
    entries: Vec<IniEntry>,
    /// Where each key is, once there are many.
    index: HashMap<String, usize>,
}

/// The most unreadable lines that are reported.
const MAX_BAD: usize = 1000;
/// Up to this many keys a linear search is faster.
const FEW: usize = 32;

impl Section {
    fn new(name: &str, place: SourceLocation) -> Self {
        Self { name: name.to_owned(), place, entries: Vec::new(), index: HashMap::new() }
    }

    /// The keys that stand in it, in the order in which they first occur.
    pub fn entries(&self) -> &[IniEntry] {
        &self.entries
    }

    fn entry(&self, key: &str) -> Option<&IniEntry> {
        self.position(key).map(|at| &self.entries[at])
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.entries.len() <= FEW {
            return self.entries.iter().position(|entry| entry.key == key);
        }
        self.index.get(key).copied()
    }

    /// Sets a key, and says at which place in the order it is.
    fn set(&mut self, key: String, value: String, place: SourceLocation) -> usize {
        if let Some(at) = self.position(&key) {
            let entry = &mut self.entries[at];
            entry.value = value;
            entry.place = place;
            return at;
        }
        let at = self.entries.len();
        self.entries.push(IniEntry { key, value, place });
        match self.entries.len() {
            ..=FEW => {}
            length if length == FEW + 1 => {
                self.index = (0..).zip(&self.entries).map(|(at, entry)| (entry.key.clone(), at)).collect();
            }
            _ => drop(self.index.insert(self.entries[at].key.clone(), at)),
        }
        at
    }
}

/// Everything that was read, in the order of the files.
#[derive(Clone, Debug)]
pub struct Ini {
    sections: Vec<Section>,
    index: HashMap<String, usize>,
    defaults: Section,
    /// What was set since [`Ini::replace_here`] was last called: section and entry.
    fresh: Vec<(usize, usize)>,
    /// How much `[DEFAULT]` has lent (bytes).
    lent: usize,
    /// The number of sections that have been given everything of `[DEFAULT]`.
    served: usize,
    /// How often it was asked whether a section needs to be lent a key.
    asked: usize,
}

/// The most questions of whether a section needs to be lent a key; 10,000 files with as many sections take a tenth.
const MAX_ASKED: usize = 100_000_000;
/// The most that `[DEFAULT]` may lend for good (bytes).
const MAX_LENT: usize = 64 << 20;

/// The values of `[DEFAULT]` with `%(here)s`, times the number of sections, take too much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot give every section what [DEFAULT] has with {HERE}: more than {} MiB", MAX_LENT >> 20)]
pub struct DefaultsTooLarge;

/// What is wrong with the form of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyntaxError {
    /// Something stands before the first section; nothing behind it was read.
    NoSection {
        /// Its line, from 1.
        line: u32,
        /// The line itself, with its end.
        text: String,
    },
    /// These lines are neither section, key nor continuation; the others were read. A thousand are enough to begin with.
    Lines(Vec<(u32, String)>),
}

impl SyntaxError {
    /// The words of Python's exception, with the name of the file.
    pub fn original(&self, file: &str) -> String {
        let file = python::repr(file);
        match self {
            Self::NoSection { line, text } => {
                let text = python::repr(text);
                format!("File contains no section headers.\nfile: {file}, line: {line}\n{text}")
            }
            Self::Lines(lines) => {
                let mut words = format!("Source contains parsing errors: {file}");
                for (line, text) in lines {
                    words.push_str(&format!("\n\t[line {line:2}]: {}", python::repr(text)));
                }
                words
            }
        }
    }
}

/// The section whose keys count in every other.
const DEFAULT: &str = "DEFAULT";
const HERE: &str = "%(here)s";

impl Default for Ini {
    fn default() -> Self {
        let nowhere = SourceLocation { file: 0, line: 0 };
        Self {
            sections: Vec::new(),
            index: HashMap::new(),
            defaults: Section::new(DEFAULT, nowhere),
            fresh: Vec::new(),
            lent: 0,
            served: 0,
            asked: 0,
        }
    }
}

impl Ini {
    /// The sections in the order in which they first occur, without `[DEFAULT]`.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.index.get(name).map(|at| &self.sections[*at])
    }

    /// `[DEFAULT]`.
    pub fn defaults(&self) -> &Section {
        &self.defaults
    }

    /// What counts in a section for a key: its own value, else that of `[DEFAULT]`.
    pub fn get<'a>(&'a self, section: &'a Section, key: &str) -> Option<&'a IniEntry> {
        section.entry(key).or_else(|| self.defaults.entry(key))
    }

    /// Reads a file's text over what is there already. `file` is the number to be kept in every [`SourceLocation`].
    pub fn read(&mut self, text: &str, file: usize) -> Result<(), SyntaxError> {
        let mut reader = Reader { ini: self, file, section: None, option: None, indent: 0, bad: Vec::new() };
        for line in universal_lines(text) {
            reader.line(line)?;
        }
        reader.close_option();
        let bad = reader.bad;
        if bad.is_empty() { Ok(()) } else { Err(SyntaxError::Lines(bad)) }
    }

    /// Writes `here` for `%(here)s` in every value that was read since the last call, and in what
    /// `[DEFAULT]` lends to a section, which has a value of its own from then on.
    ///
    /// Fails when what it lends would take more than 64 MiB in all.
    pub fn replace_here(&mut self, here: &str) -> Result<(), DefaultsTooLarge> {
        for (section, entry) in std::mem::take(&mut self.fresh) {
            let entry = &mut self.sections[section].entries[entry];
            if entry.value.contains(HERE) {
                entry.value = entry.value.replace(HERE, here);
            }
        }
        let lent: Vec<IniEntry> =
            self.defaults.entries.iter().filter(|entry| entry.value.contains(HERE)).cloned().collect();
        for entry in lent {
            let value = entry.value.replace(HERE, here);
            for section in self.sections.iter_mut().skip(self.served) {
                self.asked += 1;
                if self.asked > MAX_ASKED {
                    return Err(DefaultsTooLarge);
                }
                if section.entry(&entry.key).is_none() {
                    self.lent += entry.key.len() + value.len() + size_of::<IniEntry>();
                    if self.lent > MAX_LENT {
                        return Err(DefaultsTooLarge);
                    }
                    section.set(entry.key.clone(), value.clone(), entry.place);
                }
            }
        }
        self.served = self.sections.len();
        Ok(())
    }

    /// Goes into a section, which is made if it is new.
    fn enter(&mut self, name: &str, place: SourceLocation) -> Current {
        if let Some(at) = self.index.get(name) {
            return Current::Section(*at);
        }
        if name == DEFAULT {
            return Current::Defaults;
        }
        self.index.insert(name.to_owned(), self.sections.len());
        self.sections.push(Section::new(name, place));
        Current::Section(self.sections.len() - 1)
    }
}

#[derive(Clone, Copy)]
enum Current {
    Defaults,
    Section(usize),
}

/// The key that a continuation line would go on.
enum Open {
    /// A key without a name, which is an error already: nothing goes on it.
    Nameless,
    Entry(usize),
}

struct Reader<'i> {
    ini: &'i mut Ini,
    file: usize,
    section: Option<Current>,
    option: Option<Open>,
    indent: usize,
    bad: Vec<(u32, String)>,
}

impl Reader<'_> {
    fn line(&mut self, line: Line<'_>) -> Result<(), SyntaxError> {
        let text = line.text;
        let comment = comment_start(text);
        let value = strip(&text[..comment.unwrap_or(text.len())]);
        if value.is_empty() {
            if comment.is_none() {
                self.go_on("");
            }
            return Ok(());
        }
        let indent = text.chars().take_while(|c| is_space(*c)).count();
        if indent > self.indent && self.go_on(value) {
            return Ok(());
        }
        self.indent = indent;
        let place = SourceLocation { file: self.file, line: line.number };
        if let Some(name) = header(value) {
            self.close_option();
            self.section = Some(self.ini.enter(name, place));
            return Ok(());
        }
        if self.section.is_none() {
            return Err(SyntaxError::NoSection { line: line.number, text: line.whole() });
        }
        self.option_line(value, line, place);
        Ok(())
    }

    /// Adds a line to the value of the open key, if there is one.
    fn go_on(&mut self, text: &str) -> bool {
        let Some(Open::Entry(at)) = self.option else { return false };
        if let Some(section) = self.current() {
            let value = &mut section.entries[at].value;
            value.push('\n');
            value.push_str(text);
        }
        true
    }

    fn option_line(&mut self, value: &str, line: Line<'_>, place: SourceLocation) {
        let Some(at) = value.find(['=', ':']) else {
            self.refuse(line);
            return;
        };
        self.close_option();
        let key = strip(&value[..at]);
        if key.is_empty() {
            self.refuse(line);
            self.option = Some(Open::Nameless);
            return;
        }
        let (key, text) = (key.to_lowercase(), strip(&value[at + 1..]).to_owned());
        let Some(section) = self.current() else { return };
        let entry = section.set(key, text, place);
        if matches!(self.section, Some(Current::Defaults)) {
            self.ini.served = 0;
        }
        self.option = Some(Open::Entry(entry));
        if let Some(Current::Section(section)) = self.section {
            self.ini.fresh.push((section, entry));
        }
    }

    fn refuse(&mut self, line: Line<'_>) {
        if self.bad.len() < MAX_BAD {
            self.bad.push((line.number, line.whole()));
        }
    }

    /// Lines of nothing at the end of a value do not belong to it.
    fn close_option(&mut self) {
        if let Some(Open::Entry(at)) = self.option.take()
            && let Some(section) = self.current()
        {
            let value = &mut section.entries[at].value;
            value.truncate(value.trim_end_matches(is_space).len());
        }
    }

    fn current(&mut self) -> Option<&mut Section> {
        match self.section? {
            Current::Defaults => Some(&mut self.ini.defaults),
            Current::Section(at) => self.ini.sections.get_mut(at),
        }
    }
}

/// The name in `[name]`: all between the first bracket and the last.
fn header(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('[')?;
    // At least one character stands between the brackets, and that may be a bracket.
    let end = rest.rfind(']')?;
    if end == 0 { None } else { Some(&rest[..end]) }
}

/// Where the comment of a line begins, in bytes.
///
/// RawConfigParser looks at the first occurrence of each sign, then at the second of each, and so on, and stops
/// as soon as a round has found one behind a space: so this need not be the leftmost.
fn comment_start(line: &str) -> Option<usize> {
    if !line.bytes().any(|byte| matches!(byte, b';' | b'#')) {
        return None;
    }
    if strip(line).starts_with([';', '#']) {
        return Some(0);
    }
    let mut semicolons = line.match_indices(';').map(|(at, _)| at);
    let mut hashes = line.match_indices('#').map(|(at, _)| at);
    let behind_space = |at: &usize| line[..*at].chars().next_back().is_none_or(is_space);
    loop {
        let (semicolon, hash) = (semicolons.next(), hashes.next());
        let found = [semicolon, hash].into_iter().flatten().filter(behind_space).min();
        if found.is_some() || (semicolon.is_none() && hash.is_none()) {
            return found;
        }
    }
}

/// A line without its end.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    number: u32,
    /// It is not the last one, cut off without an end.
    ended: bool,
}

impl Line<'_> {
    /// As Python's file object gives it.
    fn whole(self) -> String {
        let end = if self.ended { "\n" } else { "" };
        format!("{}{end}", self.text)
    }
}

/// The lines of a text, which end in `\n`, `\r` or `\r\n` as Python opens a file.
fn universal_lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = text;
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        number += 1;
        let Some(end) = rest.find(['\n', '\r']) else {
            return Some(Line { text: std::mem::take(&mut rest), number, ended: false });
        };
        let (line, tail) = rest.split_at(end);
        rest = tail.strip_prefix("\r\n").unwrap_or(&tail[1..]);
        Some(Line { text: line, number, ended: true })
    })
}

/// What Python's `str.isspace` takes for space.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Python's `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests;
