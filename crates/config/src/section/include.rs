//! `[include]`: which other files to read.

use crate::expansion::ExpansionNames;
use crate::ini::is_space;
use crate::loader::context::{LoadContext, SectionScope};
use crate::path::{absolute, join, parent, without_dots};
use crate::value::InvalidValue;

/// The key of the section.
pub(crate) const KEYS: [&str; 1] = ["files"];

/// Each is looked for on the disk.
const MAX_PATTERNS: usize = 1000;

/// The patterns, each joined to the folder of the configuration file.
pub(crate) fn patterns(context: &mut LoadContext<'_>) -> Vec<String> {
    let Some(section) = context.ini.section("include") else { return Vec::new() };
    let machine = context.host;
    let names =
        ExpansionNames::default().with("here", context.here).with("host_node_name", &machine.host_node_name);
    let scope = SectionScope::new(section, names);
    let Some(entry) = context.raw(&scope, "files") else {
        let original = ".ini file has [include] section, but no files setting".to_owned();
        let what = "cannot include files without a files setting".to_owned();
        context.refuse(&scope, "files", InvalidValue { what, original });
        return Vec::new();
    };
    let Ok(text) = context.expanded(&scope, "files", &entry.value, "include.files") else {
        return Vec::new();
    };
    let file = context.files.first().map_or("", String::as_str);
    let base = without_dots(&absolute(file, machine));
    let parts = || text.split(is_space).filter(|part| !part.is_empty());
    if parts().nth(MAX_PATTERNS).is_some() {
        let what = format!("cannot include more than {MAX_PATTERNS} patterns of files");
        context.refuse(&scope, "files", InvalidValue { original: what.clone(), what });
        return Vec::new();
    }
    parts().map(|part| join(parent(&base), part)).collect()
}
