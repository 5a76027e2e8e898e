//! Files: their sizes, first lines and names, and the paths that they mention.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::workspace::{Workspace, stdout_of};

/// A file that is longer is two files.
const MOST_LINES: usize = 800;

/// Names that say nothing about what is inside.
const VAGUE_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "types", "imp"];

/// Folders of one developer's machine mean nothing to a reader of the repository. Written in two parts, so
/// that this file passes.
const PRIVATE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("../sha", "red/"), concat!("issues ", "show")];

/// What is wrong with the repository's files.
pub(super) fn faults(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in list(workspace)? {
        // Others may be working on the tree: a file can go between the listing and the reading.
        let Ok(bytes) = fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let name = workspace.relative(&path);
        if name.extension().is_some_and(|extension| extension == "rs") && path.with_extension("").is_dir() {
            faults.push(format!("{}: cannot stand beside its folder: call it mod.rs there", name.display()));
        }
        faults.extend(faults_of(name, &text).into_iter().map(|fault| format!("{}: {fault}", name.display())));
    }
    Ok(faults)
}

/// The files that git knows or would take.
pub(super) fn list(workspace: &Workspace) -> anyhow::Result<Vec<PathBuf>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let names = stdout_of(&mut workspace.command("git", &args)).context("cannot list the files")?;
    Ok(names.split_terminator('\0').map(|name| workspace.root.join(name)).collect())
}

/// What is wrong with one file; `path` is relative to the root.
fn faults_of(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for word in PRIVATE_PATHS.iter().filter(|word| text.contains(**word)) {
        faults.push(format!("cannot mention {word:?}: a reader of the repository does not have it"));
    }
    if path.extension().is_none_or(|extension| extension != "rs") {
        return faults;
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push(format!("cannot have {lines} lines: {MOST_LINES} at most"));
    }
    if !text.starts_with("//! ") {
        faults.push("cannot tell why it exists: the first line is no `//! ` comment".to_owned());
    }
    let names = path.with_extension("");
    for name in names.iter().filter_map(|part| part.to_str()).filter(|name| VAGUE_NAMES.contains(name)) {
        faults.push(format!("cannot be called {name:?}: take a name from the field"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_held() {
        let faults_of = |path: &str, text: &str| faults_of(Path::new(path), text).len();
        assert_eq!(faults_of("crates/a/src/good.rs", "//! Why.\n"), 0);
        assert_eq!(faults_of("crates/a/src/good.rs", "use std::fs;\n"), 1);
        assert_eq!(faults_of("crates/a/src/long.rs", &format!("//! Why.\n{}", "\n".repeat(MOST_LINES))), 1);
        assert_eq!(faults_of("crates/a/src/utils.rs", "//! Why.\n"), 1);
        assert_eq!(faults_of("crates/a/src/common/mod.rs", "//! Why.\n"), 1);
        assert_eq!(faults_of("docs/a.md", PRIVATE_PATHS[0]), 1);
        assert_eq!(faults_of("docs/a.md", &"\n".repeat(2 * MOST_LINES)), 0);
    }
}
