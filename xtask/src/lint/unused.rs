//! What nothing uses: dependencies that no source names, workspace dependencies that no crate inherits, and `.rs` files
//! that no `mod` names.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, NodeDep, Package};

use super::files;
use crate::sources::ModuleTree;
use crate::workspace::{FUZZ_MANIFEST, MAIN_MANIFEST, Workspace};

/// Everything unused in both workspaces.
pub(super) fn faults(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut named_files = BTreeSet::new();
    for manifest in [MAIN_MANIFEST, FUZZ_MANIFEST] {
        let metadata = workspace.metadata(manifest)?;
        for package in metadata.workspace_packages() {
            let manifest = workspace.relative(package.manifest_path.as_std_path()).display();
            let sources = PackageSources::read(package)?;
            faults.extend(
                dependencies(&metadata, package).filter(|dependency| !sources.name(dependency)).map(|one| {
                    format!("{manifest}: cannot keep the dependency {}: no source names it", one.name)
                }),
            );
            named_files.extend(sources.files);
        }
        let text = fs::read_to_string(workspace.root.join(manifest))?;
        let packages = metadata.workspace_packages();
        let inherited = packages.iter().flat_map(|package| &package.dependencies);
        for name in workspace_dependencies(&text) {
            if inherited.clone().all(|dependency| dependency.name != name) {
                faults.push(format!(
                    "{manifest}: cannot keep the workspace dependency {name}: no crate has it"
                ));
            }
        }
    }
    for file in files::list(workspace)? {
        if file.extension().is_some_and(|extension| extension == "rs") && !named_files.contains(&file) {
            faults.push(format!("{}: cannot stay: no `mod` names it", workspace.relative(&file).display()));
        }
    }
    Ok(faults)
}

/// What the sources of a package name.
#[derive(Default)]
struct PackageSources {
    files: BTreeSet<PathBuf>,
    /// The first names of paths in its library and its program, which are those of crates among others.
    code: BTreeSet<String>,
    /// The same of its tests, benches, examples and build script.
    other: BTreeSet<String>,
}

impl PackageSources {
    fn read(package: &Package) -> anyhow::Result<Self> {
        let mut sources = Self::default();
        for target in &package.targets {
            let is_code = target.is_lib() || target.is_bin();
            let names = if is_code { &mut sources.code } else { &mut sources.other };
            for module in ModuleTree::read(&target.src_path)?.modules.into_values() {
                names.extend(module.first_names().cloned());
                sources.files.insert(module.file);
            }
        }
        Ok(sources)
    }

    /// Whether they name a dependency. A normal one must be named outside of tests/.
    fn name(&self, dependency: &NodeDep) -> bool {
        let is_normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
        self.code.contains(&dependency.name) || (!is_normal && self.other.contains(&dependency.name))
    }
}

/// The dependencies of a package, with the names by which Rust code calls them.
fn dependencies<'a>(metadata: &'a Metadata, package: &'a Package) -> impl Iterator<Item = &'a NodeDep> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    nodes.filter(|node| node.id == package.id).flat_map(|node| &node.deps)
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
    fn workspace_dependencies_are_the_names_of_their_section() {
        let manifest = "[workspace]\nx = 1\n[workspace.dependencies]\na = \"1\"\n# b = 1\n\nc-d = { version = \"2\" }\n[profile.dev]\ne = 1\n";
        assert_eq!(workspace_dependencies(manifest).collect::<Vec<_>>(), ["a", "c-d"]);
    }
}
