//! Names: a public type has its name alone in the workspace, and no type or file has a word that only we understand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::metadata::Metadata;
use crate::sources::ModuleTree;
use crate::workspace::Workspace;

/// Names that every reader of Rust takes for the one of the module in which he finds them.
const IDIOMS: &[&str] =
    &["Args", "Command", "Config", "Effect", "Error", "Input", "Machine", "Options", "Output", "Phase"];

/// Names that are defined more than once for now. The list may only shrink.
const TOLERATED: &[&str] = &[];

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
    let mut faults = Vec::new();
    let mut defined: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for package in Metadata::read(workspace, "Cargo.toml")?.members() {
        for root in package.roots() {
            for module in ModuleTree::read(&root)?.modules.into_values() {
                let file = workspace.relative(&module.file).to_owned();
                let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                faults.extend(dialect(&stem).map(|fault| format!("{}: {fault}", file.display())));
                for name in module.public_types.into_iter().filter(|_| !module.is_test) {
                    faults.extend(
                        dialect(&snake_case(&name))
                            .map(|fault| format!("{}: {name}: {fault}", file.display())),
                    );
                    defined.entry(name).or_default().push(file.clone());
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    for (name, files) in defined {
        if files.len() > 1 && !IDIOMS.contains(&name.as_str()) && !TOLERATED.contains(&name.as_str()) {
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            faults.push(format!("cannot define {name} {} times: {}", files.len(), files.join(", ")));
        }
    }
    Ok(faults)
}

/// The fault of a name in snake case that has a word of the dialect.
fn dialect(name: &str) -> Option<String> {
    let (word, field) = DIALECT.iter().find(|(word, _)| name.split('_').any(|part| part == *word))?;
    Some(format!("cannot be called by the word {word:?}: the field says {field}"))
}

/// `ReadPause` as `read_pause`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        if char.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(char.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_dialect_is_found_as_a_word_and_not_inside_of_another() {
        for name in ["ears", "log_ears"] {
            assert!(dialect(name).is_some(), "{name}");
        }
        assert!(dialect(&snake_case("LogWish")).is_some());
        for name in ["years", "published", "hearing"] {
            assert!(dialect(name).is_none(), "{name}");
        }
    }
}
