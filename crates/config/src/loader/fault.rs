//! What is wrong with a configuration, and where: for a person, and in the original's words.

use std::fmt;
use std::path::PathBuf;

/// One fault.
///
/// Shown as `file:line: [section] key: cannot …: value`; parts that do not apply are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The file it stands in.
    pub file: PathBuf,
    /// The line of the key, else of the section; from 1.
    pub line: Option<u32>,
    /// The section's name; empty where the fault is about the whole file.
    pub section: String,
    /// The key; empty where the fault is about the whole section.
    pub key: String,
    /// What is wrong: `cannot …: value`.
    pub what: String,
    /// The words of Supervisor 4.3 for the same fault, as it prints them after `Error: `.
    pub original: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.section.is_empty() {
            write!(f, " [{}]", self.section)?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.what)
    }
}

/// All faults of a configuration, at least one; the first is what Supervisor 4.3 would have stopped at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<ConfigFault>);

/// The most faults in one message; the log has them all.
const MAX_SHOWN: usize = 5;

impl ConfigFaults {
    /// What Supervisor 4.3 would say after `Error: `.
    pub fn original(&self) -> &str {
        self.0.first().map_or("", |fault| &fault.original)
    }

    /// What Supervisor 4.3 would say, and behind it in brackets the faults with their files and lines, on one line; of
    /// many the first.
    pub fn original_and_ours(&self) -> String {
        let mut ours: Vec<String> = self.0.iter().take(MAX_SHOWN).map(ToString::to_string).collect();
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => {}
            more => ours.push(format!("and {more} more")),
        }
        format!("{} [{}]", self.original(), ours.join("; "))
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_begins_with_the_originals_words_and_names_each_fault_with_its_line() {
        let fault = |line: u32| ConfigFault {
            file: "/etc/s.conf".into(),
            line: Some(line),
            section: "program:a".to_owned(),
            key: "startsecs".to_owned(),
            what: "cannot read as a whole number: soon".to_owned(),
            original: format!("invalid {line}"),
        };
        assert_eq!(
            ConfigFaults(vec![fault(3)]).original_and_ours(),
            "invalid 3 [/etc/s.conf:3: [program:a] startsecs: cannot read as a whole number: soon]"
        );
        let many = ConfigFaults((1..=7).map(fault).collect()).original_and_ours();
        assert!(
            many.starts_with("invalid 1 [/etc/s.conf:1: ") && many.ends_with("soon; and 2 more]"),
            "{many}"
        );
    }
}
