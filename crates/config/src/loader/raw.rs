//! [`RawConfig`]: a configuration as it stands in its files, for reports beside its faults (`import`).

use std::path::Path;

use crate::account::Accounts;
use crate::host_env::HostEnv;
use crate::ini::{Ini, IniEntry, Section, SourceLocation};
use crate::loader::context::LoadContext;
use crate::loader::fault::ConfigFaults;
use crate::loader::files::{self, IncludeMode};
use crate::loader::panic::catch_panic;
use crate::loader::unknown_keys;
use crate::section::plugin;

/// A configuration file and all that it includes, as it was written; values are not expanded.
#[derive(Clone, Debug)]
pub struct RawConfig {
    /// The sections of all files.
    pub ini: Ini,
    /// The files by the numbers in a [`SourceLocation`]; the first is the configuration file as it was named.
    pub files: Vec<String>,
    /// The folder of the configuration file; absolute.
    pub here: String,
    /// What can be warned of without reading values, each a line `file:line: [section] key …`: includes, Python plug-ins,
    /// keys and sections that are nearly known ones.
    pub warnings: Vec<String>,
}

impl RawConfig {
    /// The name of the file that a place is in.
    pub fn file(&self, place: SourceLocation) -> &str {
        self.files.get(place.file).map_or("", String::as_str)
    }

    /// The keys of a section that it does not know, and that are not nearly ones that it knows either. A section of an
    /// unknown sort has none, nor has one of a plug-in, whose keys are its own affair.
    pub fn unknown_keys<'a>(&self, section: &'a Section) -> Vec<&'a IniEntry> {
        unknown_keys::unknown_keys(section)
    }
}

/// Reads a configuration file and all that it includes, as far as its form goes.
///
/// Fails with what cannot be read; a line that is no key is left out, and is one of the faults of [`load`](crate::load).
pub fn load_raw(file: &Path, machine: &HostEnv) -> Result<RawConfig, ConfigFaults> {
    catch_panic(file, || read(file, machine))
}

fn read(file: &Path, machine: &HostEnv) -> Result<RawConfig, ConfigFaults> {
    let source = files::open(file, IncludeMode::Follow, machine)?;
    let accounts = Accounts::default();
    let mut context = LoadContext::new(&source.ini, &source.files, &source.here, machine, &accounts);
    plugin::interfaces(&mut context);
    plugin::plugins(&mut context);
    unknown_keys::warn_unknown_keys(&mut context);
    let (notes, _) = context.finish();
    let mut warnings = source.notes.warnings;
    warnings.extend(notes.warnings);
    Ok(RawConfig { ini: source.ini, files: source.files, here: source.here, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn machine() -> HostEnv {
        let (environment, host_node_name) = (Vec::new(), "box".to_owned());
        HostEnv { environment, cwd: "/".into(), host_node_name, temp_dir: "/tmp".into(), uid: 0 }
    }

    #[test]
    fn every_key_has_its_file_and_line_and_what_nobody_reads_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (main, more) = (folder.path().join("s.conf"), folder.path().join("more.conf"));
        let text = "[supervisord]\nminfds=%(x)s\n[include]\nfiles=more.conf\n[ctlplugin:a]\nsupervisor.ctl_factory=a:b\n";
        fs::write(&main, text).unwrap();
        fs::write(&more, "\n[program:web]\ncommand=web\nautorestrat=no\nowner=joe\nx-owner=joe\n").unwrap();
        let outline = load_raw(&main, &machine()).unwrap();
        let web = outline.ini.section("program:web").unwrap();
        let command = outline.ini.get(web, "command").unwrap();
        assert_eq!((outline.file(command.place), command.place.line), (more.to_str().unwrap(), 3));
        let strangers: Vec<&str> = outline.unknown_keys(web).iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(strangers, ["owner"]);
        let plugin = outline.ini.section("ctlplugin:a").unwrap();
        assert!(outline.unknown_keys(plugin).is_empty());
        for needle in ["more.conf:4: [program:web] autorestrat", "s.conf:6: [ctlplugin:a]"] {
            assert!(outline.warnings.iter().any(|line| line.contains(needle)), "{:?}", outline.warnings);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.conf");
        for bytes in [&b"\x00\xff"[..], b"before\n[supervisord]\n"] {
            fs::write(&file, bytes).unwrap();
            assert!(load_raw(&file, &machine()).is_err());
        }
        assert!(load_raw(&folder.path().join("none"), &machine()).is_err());
    }
}
