//! [`Findings`] about a configuration: a line each, with the file and the line that it is about; and the report on them.

use std::collections::HashSet;
use std::path::Path;

use ironlance_config::RawConfig;
use ironlance_config::ini::Section;
use ironlance_core::text::escape::escape_controls;

/// What a finding means for the user; the order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindingKind {
    /// It stays as it is.
    Unchanged,
    /// It gets better by itself.
    Improved,
    /// With it no supervisord starts.
    Fault,
    /// A person should look at it.
    Attention,
}

/// The parts of a report.
const PARTS: [(FindingKind, &str); 4] = [
    (FindingKind::Unchanged, "The same"),
    (FindingKind::Improved, "Better"),
    (FindingKind::Fault, "Faults: no supervisord starts with these, neither ours nor Supervisor's"),
    (FindingKind::Attention, "Needs attention"),
];

/// No more findings of one kind are kept.
const MAX_FINDINGS: usize = 1000;

/// The number of a file and the line, zeros for the whole configuration; and what is found there.
type ImportFinding = ((usize, u32), String);

/// The findings of one kind.
#[derive(Debug, Default)]
struct FindingsOfKind {
    found: Vec<ImportFinding>,
    seen: HashSet<ImportFinding>,
    /// There were more than are kept.
    is_cut: bool,
}

/// All findings, the first thousand of each kind.
#[derive(Debug, Default)]
pub(super) struct Findings {
    kinds: [FindingsOfKind; 4],
}

impl Findings {
    /// A finding about a key that needs attention: `file:line: [section] key: text`.
    pub(super) fn about(&mut self, outline: &RawConfig, section: &Section, key: &str, text: &str) {
        let place = outline.ini.get(section, key).map_or(section.place, |entry| entry.place);
        let text = format!("{}:{}: [{}] {key}: {text}", outline.file(place), place.line, section.name);
        self.add(FindingKind::Attention, (place.file, place.line), &text);
    }

    /// A finding that begins with its place.
    pub(super) fn line(&mut self, outline: &RawConfig, kind: FindingKind, text: &str) {
        let at = outline.files.iter().enumerate().find_map(|(number, file)| {
            let line = text.strip_prefix(file.as_str())?.strip_prefix(':')?.split(':').next()?;
            Some((number, line.parse().ok()?))
        });
        self.add(kind, at.unwrap_or_default(), text);
    }

    /// A finding about the whole configuration.
    pub(super) fn whole(&mut self, kind: FindingKind, text: &str) {
        self.add(kind, (0, 0), text);
    }

    fn add(&mut self, kind: FindingKind, at: (usize, u32), text: &str) {
        let is_full = self.is_full(kind);
        let of_kind = &mut self.kinds[kind as usize];
        let finding = (at, escape_controls(text));
        if is_full {
            of_kind.is_cut = true;
        } else if of_kind.seen.insert(finding.clone()) {
            of_kind.found.push(finding);
        }
    }

    /// Whether no more of this kind are kept, so that slow checks can be skipped.
    pub(super) fn is_full(&self, kind: FindingKind) -> bool {
        self.kinds[kind as usize].found.len() >= MAX_FINDINGS
    }

    /// Whether there were more than are kept.
    fn is_cut(&self, kind: FindingKind) -> bool {
        self.kinds[kind as usize].is_cut
    }

    /// Those of a kind, in the order of the files.
    fn of(&self, kind: FindingKind) -> Vec<&ImportFinding> {
        let mut found: Vec<&ImportFinding> = self.kinds[kind as usize].found.iter().collect();
        found.sort_by_key(|(at, _)| *at);
        found
    }

    /// How many need attention; faults do.
    pub(super) fn attention(&self) -> usize {
        [FindingKind::Fault, FindingKind::Attention].into_iter().map(|kind| self.of(kind).len()).sum()
    }

    /// The report on the configuration `file`, which was read from this many files.
    pub(super) fn report(&self, file: &Path, files: usize) -> String {
        let included = match files {
            1 => String::new(),
            more => format!(" and {} it includes", number(more - 1, "file")),
        };
        let file = escape_controls(&file.display().to_string());
        let mut text = format!("{file}{included}, read as our supervisord would; nothing is changed.\n");
        for (kind, title) in PARTS {
            let lines = self.of(kind);
            if !lines.is_empty() {
                text += &format!("\n{title}\n");
                text.extend(lines.iter().map(|(_, line)| format!("  {line}\n")));
                if self.is_cut(kind) {
                    text += "  … and more of the kind\n";
                }
            }
        }
        text += &match self.attention() {
            many if self.is_cut(FindingKind::Fault) || self.is_cut(FindingKind::Attention) => {
                format!("\nMore than {many} things need attention.\n")
            }
            0 => "\nNothing needs attention.\n".to_owned(),
            1 => "\n1 thing needs attention.\n".to_owned(),
            more => format!("\n{more} things need attention.\n"),
        };
        text
    }
}

/// A number of things, in words.
pub(super) fn number(count: usize, what: &str) -> String {
    match (count, what) {
        (1, _) => format!("1 {what}"),
        (_, "process") => format!("{count} processes"),
        (_, "way in") => format!("{count} ways in"),
        (..) => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let text = "a\x1b[2J\x07\x7f\r\n\u{9b}1m\u{202e}ä进程";
        assert_eq!(escape_controls(text), "a\\x1b[2J\\x07\\x7f\\r\\n\\u{9b}1m\\u{202e}ä进程");
    }

    #[test]
    fn a_finding_is_told_once_and_of_very_many_the_first_thousand() {
        let mut found = Findings::default();
        for number in 0..MAX_FINDINGS * 3 {
            found.whole(FindingKind::Attention, &format!("{}", number / 2));
        }
        assert_eq!(
            (found.of(FindingKind::Attention).len(), found.is_cut(FindingKind::Attention)),
            (MAX_FINDINGS, true)
        );
        assert_eq!(
            (found.of(FindingKind::Unchanged).len(), found.is_cut(FindingKind::Unchanged)),
            (0, false)
        );
    }
}
