//! Names: a public type has its name alone in the workspace, and no type or file has a word that only we understand.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToSnakeCase;

use crate::sources::ModuleTree;
use crate::workspace::{MAIN_MANIFEST, Workspace};

/// Names that readers of Rust take for the one of the module at hand.
const IDIOMS: &[&str] =
    &["Args", "Command", "Config", "Effect", "Error", "Input", "Machine", "Options", "Output", "Phase"];

/// Words that meant something to us alone, and what the field calls it.
const DIALECT: &[(&str, &str)] = &[
    ("aloud", "log or print"),
    ("chronicle", "event log"),
    ("deed", "action"),
    ("desk", "context or service"),
    ("doors", "access or address"),
    ("ears", "poller"),
    ("errand", "request"),
    ("hear", "read, poll or receive"),
    ("heirs", "successors"),
    ("lane", "queue"),
    ("mood", "state"),
    ("patience", "timeout or wait"),
    ("penance", "back-off"),
    ("population", "process table"),
    ("said", "message or output"),
    ("scene", "context or test directory"),
    ("story", "text"),
    ("tidy", "trim"),
    ("told", "report, message or reply"),
    ("whose", "owner"),
    ("wish", "option or request"),
    ("wishes", "options or requests"),
];

/// What is wrong with the names of the workspace's types and files.
pub(super) fn faults(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut faults = BTreeSet::new();
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in workspace.metadata(MAIN_MANIFEST)?.workspace_packages() {
        let trees = ModuleTree::read_package(package)?.into_iter();
        for module in trees.flat_map(|tree| tree.modules.into_values()) {
            let file = workspace.relative(&module.file).display().to_string();
            let stem = module.file.file_stem().unwrap_or_default().to_string_lossy();
            faults.extend(dialect(&stem).map(|fault| format!("{file}: {fault}")));
            for name in module.public_types.into_iter().filter(|_| !module.is_test) {
                faults.extend(dialect(&name).map(|fault| format!("{file}: {name}: {fault}")));
                defined.entry(name).or_default().push(file.clone());
            }
        }
    }
    defined.retain(|name, files| files.len() > 1 && !IDIOMS.contains(&name.as_str()));
    let defined = defined.into_iter();
    faults
        .extend(defined.map(|(name, files)| {
            format!("cannot define {name} {} times: {}", files.len(), files.join(", "))
        }));
    Ok(Vec::from_iter(faults))
}

/// The fault of a name that has a word of the dialect.
fn dialect(name: &str) -> Option<String> {
    let name = name.to_snake_case();
    let (word, field) = DIALECT.iter().find(|(word, _)| name.split('_').any(|part| part == *word))?;
    Some(format!("cannot be called by the word {word:?}: the field says {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_dialect_is_found_as_a_word_and_not_inside_of_another() {
        for name in ["ears", "log_ears", "LogWish"] {
            assert!(dialect(name).is_some(), "{name}");
        }
        for name in ["years", "published", "hearing"] {
            assert!(dialect(name).is_none(), "{name}");
        }
    }
}
