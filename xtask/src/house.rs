//! The rules of the house that no other tool knows: file sizes, first lines, names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::workshop::Workshop;

/// A file that is longer is two files.
const MOST_LINES: usize = 800;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "types", "imp"];

/// Folders of somebody's own machine mean nothing to a reader of the repository. Written in two parts, so
/// that this file passes.
const NOT_FOR_THE_PUBLIC: &[&str] =
    &[concat!("/wo", "rk/"), concat!("../sha", "red/"), concat!("issues ", "show")];

/// Holds every file that git knows or would take to the rules.
pub(crate) fn run(shop: &Workshop) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for path in files(shop)? {
        // Others may be working on the tree: a file can go between the listing and the reading.
        let Ok(bytes) = fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let name = shop.relative(&path);
        faults.extend(judge(name, &text).into_iter().map(|fault| format!("{}: {fault}", name.display())));
    }
    if !faults.is_empty() {
        bail!("{} faults\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}

fn files(shop: &Workshop) -> anyhow::Result<Vec<PathBuf>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = shop.command("git", &args).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("cannot list the repository's files: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let names = String::from_utf8(output.stdout).context("cannot list the repository's files: not UTF-8")?;
    Ok(names.split_terminator('\0').map(|name| shop.root.join(name)).collect())
}

/// What is wrong with one file; `path` is relative to the root.
fn judge(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for word in NOT_FOR_THE_PUBLIC.iter().filter(|word| text.contains(**word)) {
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
    for name in names.iter().filter_map(|part| part.to_str()).filter(|name| EMPTY_NAMES.contains(name)) {
        faults.push(format!("cannot be called {name:?}: take a name from the field"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_held() {
        let judge = |path: &str, text: &str| judge(Path::new(path), text).len();
        assert_eq!(judge("crates/a/src/good.rs", "//! Why.\n"), 0);
        assert_eq!(judge("crates/a/src/good.rs", "use std::fs;\n"), 1);
        assert_eq!(judge("crates/a/src/long.rs", &format!("//! Why.\n{}", "\n".repeat(MOST_LINES))), 1);
        assert_eq!(judge("crates/a/src/utils.rs", "//! Why.\n"), 1);
        assert_eq!(judge("crates/a/src/common/mod.rs", "//! Why.\n"), 1);
        assert_eq!(judge("docs/a.md", NOT_FOR_THE_PUBLIC[0]), 1);
        assert_eq!(judge("docs/a.md", &"\n".repeat(2 * MOST_LINES)), 0);
    }
}
