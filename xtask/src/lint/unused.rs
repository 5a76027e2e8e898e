//! What nothing uses: dependencies that no source names, workspace dependencies that nobody inherits, and `.rs` files
//! that no `mod` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use proc_macro2::{TokenStream, TokenTree};

use crate::metadata::{Metadata, Package};
use crate::sources::{ModuleTree, rust_files, tokens_of};
use crate::workspace::Workspace;

/// Everything unused in both workspaces.
pub(super) fn faults(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let metadata = Metadata::read(workspace, "Cargo.toml")?;
    let mut faults = Vec::new();
    for package in metadata.members() {
        faults.extend(unused_dependencies(workspace, &metadata, package)?);
        faults.extend(
            orphans(package)?.iter().map(|file| {
                format!("{}: cannot stay: no `mod` names it", workspace.relative(file).display())
            }),
        );
    }
    let manifest = fs::read_to_string(workspace.root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let used: BTreeSet<&str> =
        metadata.members().flat_map(|package| &package.dependencies).map(|one| one.name.as_str()).collect();
    faults.extend(
        workspace_dependencies(&manifest)
            .filter(|name| !used.contains(name))
            .map(|name| format!("Cargo.toml: cannot keep the workspace dependency {name}: no crate has it")),
    );
    Ok(faults)
}

/// The dependencies of a package that its sources do not name. A normal one must be named outside of tests/.
fn unused_dependencies(
    workspace: &Workspace,
    metadata: &Metadata,
    package: &Package,
) -> anyhow::Result<Vec<String>> {
    let mut code = BTreeSet::new();
    names_under(&package.folder().join("src"), &mut code)?;
    let mut all = code.clone();
    for folder in ["tests", "benches", "examples", "fuzz_targets"] {
        names_under(&package.folder().join(folder), &mut all)?;
    }
    let unused = package.dependencies.iter().filter(|dependency| {
        let names = if dependency.kind.is_none() { &code } else { &all };
        !names.contains(&metadata.crate_name(dependency))
    });
    let manifest = workspace.relative(&package.manifest_path).display();
    Ok(unused
        .map(|one| format!("{manifest}: cannot keep the dependency {}: no source names it", one.name))
        .collect())
}

/// The names before `::` and behind `use` in all files of a folder.
fn names_under(folder: &Path, names: &mut BTreeSet<String>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for file in rust_files(folder)? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        collect(tokens_of(&text)?, names);
    }
    Ok(())
}

fn collect(tokens: TokenStream, names: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => collect(group.stream(), names),
            TokenTree::Ident(word) => {
                let is_colon =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ':');
                let is_before_colons = tokens.len() > at + 2 && tokens[at + 1..=at + 2].iter().all(is_colon);
                let is_behind_use =
                    at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(before) if before == "use");
                if is_before_colons || is_behind_use {
                    names.insert(word.to_string());
                }
            }
            _ => {}
        }
    }
}

/// The files under `src` that belong to no module.
fn orphans(package: &Package) -> anyhow::Result<Vec<PathBuf>> {
    let mut named = BTreeSet::new();
    for root in package.roots() {
        named.extend(ModuleTree::read(&root)?.modules.into_values().map(|module| module.file));
    }
    let files = rust_files(&package.folder().join("src"))?;
    Ok(files.into_iter().filter(|file| !named.contains(file)).collect())
}

/// The names in the section `[workspace.dependencies]`.
fn workspace_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[workspace.dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(['=', '.', ' '])?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_used_where_a_path_begins_with_it_and_not_where_its_name_is_a_word() {
        let mut names = BTreeSet::new();
        let text = "use rustls::x;\n/// log\nfn log(log: u8) { serde::y!(a::b); let md5 = 1; }";
        collect(tokens_of(text).unwrap(), &mut names);
        for (name, used) in [("rustls", true), ("serde", true), ("a", true), ("md5", false)] {
            assert_eq!(names.contains(name), used, "{name}");
        }
    }

    #[test]
    fn workspace_dependencies_are_the_names_of_their_section() {
        let manifest = "[workspace]\nx = 1\n[workspace.dependencies]\na = \"1\"\n# b = 1\n\nc-d = { version = \"2\" }\n[profile.dev]\ne = 1\n";
        assert_eq!(workspace_dependencies(manifest).collect::<Vec<_>>(), ["a", "c-d"]);
    }
}
