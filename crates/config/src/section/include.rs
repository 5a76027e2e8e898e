//! `[include]`: which other files to read.

use crate::ini::is_space;
use crate::loader::context::{LoadContext, SectionScope};
use crate::path::{absolute, join, parent, without_dots};
use crate::template::ExpansionNames;
use crate::value::InvalidValue;

/// The key of the section.
pub(crate) const KEYS: [&str; 1] = ["files"];

/// Each is looked for on the disk.
const MAX_PATTERNS: usize = 1000;

/// The patterns, each joined to the folder of the configuration file.
pub(crate) fn patterns(reading: &mut LoadContext<'_>) -> Vec<String> {
    let Some(section) = reading.ini.section("include") else { return Vec::new() };
    let machine = reading.host;
    let names =
        ExpansionNames::default().with("here", reading.here).with("host_node_name", &machine.host_node_name);
    let page = SectionScope::new(section, names);
    let Some(entry) = reading.raw(&page, "files") else {
        let original = ".ini file has [include] section, but no files setting".to_owned();
        let what = "cannot include files without a files setting".to_owned();
        reading.refuse(&page, "files", InvalidValue { what, original });
        return Vec::new();
    };
    let Ok(text) = reading.expanded(&page, "files", &entry.value, "include.files") else { return Vec::new() };
    let file = reading.files.first().map_or("", String::as_str);
    let base = without_dots(&absolute(file, machine));
    let parts = || text.split(is_space).filter(|part| !part.is_empty());
    if parts().nth(MAX_PATTERNS).is_some() {
        let what = format!("cannot include more than {MAX_PATTERNS} patterns of files");
        reading.refuse(&page, "files", InvalidValue { original: what.clone(), what });
        return Vec::new();
    }
    parts().map(|part| join(parent(&base), part)).collect()
}
