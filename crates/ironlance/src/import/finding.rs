//! What there is to say about a configuration: a line each, with the file and the line that it is about.

use std::collections::HashSet;
use std::fmt;

use ironlance_config::RawConfig;
use ironlance_config::ini::Section;
use ironlance_core::text::escape::escape_controls;

/// What a finding means for whoever moves over; the order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Weight {
    /// It stays as it is.
    Same,
    /// It gets better by itself.
    Better,
    /// No supervisord starts with it.
    Fault,
    /// Somebody should look at it.
    Attention,
}

/// One thing that was found; shown as `file:line: [section] key: text`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Finding {
    weight: Weight,
    /// The number of the file and the line; nothing for the whole.
    at: (usize, u32),
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// More of one weight are read by nobody.
const MOST: usize = 1000;

/// Everything that was found, the first thousand of each weight.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    seen: HashSet<Finding>,
    /// How many there are, of each weight.
    counts: [usize; 4],
    /// There would have been more of them.
    cut: [bool; 4],
}

impl Findings {
    /// About a key, or with an empty one about its section.
    pub(super) fn about(
        &mut self,
        outline: &RawConfig,
        section: &Section,
        key: &str,
        weight: Weight,
        text: &str,
    ) {
        let place = outline.ini.get(section, key).map_or(section.place, |entry| entry.place);
        let key = if key.is_empty() { String::new() } else { format!(" {key}") };
        let text = format!("{}:{}: [{}]{key}: {text}", outline.file(place), place.line, section.name);
        self.add(weight, (place.file, place.line), &text);
    }

    /// A line that says itself where.
    pub(super) fn line(&mut self, outline: &RawConfig, weight: Weight, text: &str) {
        let at = outline.files.iter().enumerate().find_map(|(number, file)| {
            let line = text.strip_prefix(file.as_str())?.strip_prefix(':')?.split(':').next()?;
            Some((number, line.parse().ok()?))
        });
        self.add(weight, at.unwrap_or_default(), text);
    }

    /// About no place.
    pub(super) fn whole(&mut self, weight: Weight, text: &str) {
        self.add(weight, (0, 0), text);
    }

    fn add(&mut self, weight: Weight, at: (usize, u32), text: &str) {
        if self.is_full(weight) {
            self.cut[weight as usize] = true;
            return;
        }
        let finding = Finding { weight, at, text: escape_controls(text) };
        if self.seen.insert(finding.clone()) {
            self.found.push(finding);
            self.counts[weight as usize] += 1;
        }
    }

    /// Whether no more of this weight are taken: then what is slow need not be looked at.
    pub(super) fn is_full(&self, weight: Weight) -> bool {
        self.counts[weight as usize] >= MOST
    }

    /// Whether there were more than are told.
    pub(super) fn is_cut(&self, weight: Weight) -> bool {
        self.cut[weight as usize]
    }

    /// Those of a weight, in the order of the files.
    pub(super) fn of(&self, weight: Weight) -> Vec<&Finding> {
        let mut found: Vec<&Finding> = self.found.iter().filter(|finding| finding.weight == weight).collect();
        found.sort_by_key(|finding| finding.at);
        found
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
        for number in 0..MOST * 3 {
            found.whole(Weight::Attention, &format!("{}", number / 2));
        }
        assert_eq!((found.of(Weight::Attention).len(), found.is_cut(Weight::Attention)), (MOST, true));
        assert_eq!((found.of(Weight::Same).len(), found.is_cut(Weight::Same)), (0, false));
    }
}
