//! A configuration looked at for a person: everything that is wrong with it, or what is in it.

use std::path::Path;

use crate::host_env::HostEnv;
use crate::listener_outboxes::listeners_without_outbox;
use crate::loader::load_with_notes;
use crate::settings::Overrides;

/// What came of looking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// A line for each fault, or where there is none for each warning and each hint.
    pub remarks: Vec<String>,
    /// Whether the daemon would take it.
    pub result: CheckResult,
}

/// Whether the daemon would take a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// It would; the line says what is in it.
    Sound(String),
    /// It would not.
    Faulty,
}

/// Reads a configuration file as [`load()`](crate::load) does, and reports on it for a person. A fault of the alert
/// sections, with which the daemon would start, is a fault here.
pub fn check(file: &Path, overrides: &Overrides, machine: &HostEnv) -> CheckReport {
    let report = load_with_notes(file, overrides, machine);
    let of_alerts = report.alerting.faults;
    match report.config {
        Ok(config) if of_alerts.is_empty() => {
            let processes =
                plural(config.groups.iter().map(|group| group.programs.len()).sum(), "process", "es");
            let groups = plural(config.groups.len(), "group", "s");
            let mut remarks = config.notes.warnings.clone();
            remarks.extend(listeners_without_outbox(&config, machine));
            let warnings = match remarks.len() {
                0 => String::new(),
                many => format!(", {}", plural(many, "warning", "s")),
            };
            let line = format!("{}: no faults{warnings}; {processes} in {groups}", file.display());
            remarks.extend(config.notes.hints.iter().map(|hint| format!("hint: {hint}")));
            CheckReport { remarks, result: CheckResult::Sound(line) }
        }
        config => {
            let faults = config.err().map_or_else(Vec::new, |faults| faults.0);
            let remarks = faults.iter().chain(&of_alerts).map(ToString::to_string).collect();
            CheckReport { remarks, result: CheckResult::Faulty }
        }
    }
}

/// `1 process`, `2 processes`: a word takes its `plural` ending but for one.
fn plural(count: usize, word: &str, plural: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn checked(text: &str) -> CheckReport {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.conf");
        fs::write(&file, text).unwrap();
        let machine = HostEnv {
            environment: Vec::new(),
            cwd: folder.path().to_owned(),
            host_node_name: String::new(),
            temp_dir: folder.path().to_owned(),
            uid: 0,
        };
        let mut checked = check(&file, &Overrides::default(), &machine);
        let shorten = |line: &mut String| *line = line.replace(&file.display().to_string(), "s.conf");
        checked.remarks.iter_mut().for_each(shorten);
        if let CheckResult::Sound(line) = &mut checked.result {
            shorten(line);
        }
        checked
    }

    #[test]
    fn a_sound_configuration_says_what_is_in_it() {
        let checked = checked("[supervisord]\n[program:cat]\ncommand=/bin/cat\n");
        let sound = CheckResult::Sound("s.conf: no faults; 1 process in 1 group".to_owned());
        assert_eq!(checked.result, sound);
        assert_eq!(
            (plural(0, "group", "s"), plural(2, "process", "es")),
            ("0 groups".into(), "2 processes".into())
        );
    }

    #[test]
    fn a_fault_of_an_alert_section_is_a_fault_beside_the_others() {
        let alone = checked("[supervisord]\n[alert:a]\nmail=x@y\nrepeat=soon\n");
        assert_eq!(alone.result, CheckResult::Faulty);
        let line = "s.conf:4: [alert:a] repeat: cannot read as a time (45, 45s, 2m, 1h or 1d): soon";
        assert_eq!(alone.remarks, [line]);
        let both =
            checked("[supervisord]\n[program:a]\npriority=x\ncommand=a\n[alert:a]\nmail=x@y\nrepeat=soon\n");
        assert_eq!(both.remarks.len(), 2, "{both:?}");
    }

    #[test]
    fn every_fault_is_a_line() {
        let checked =
            checked("[supervisord]\n[program:a]\npriority=x\n[program:b]\ncommand=b\nstartsecs=y\n");
        assert_eq!(checked.result, CheckResult::Faulty);
        assert!(checked.remarks.len() >= 3, "{checked:?}");
        assert!(checked.remarks.iter().all(|line| line.starts_with("s.conf:")), "{checked:?}");
    }
}
