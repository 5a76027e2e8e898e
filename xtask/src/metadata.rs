//! The packages of a workspace, `Metadata`, as `cargo metadata` lists them: read by layering, licences and lint.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::workspace::Workspace;

/// All packages of a workspace: its members and what they depend on.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
}

/// One package.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An expression of SPDX identifiers.
    pub(crate) license: Option<String>,
    /// Where it comes from; `None` for a folder on this machine.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) manifest_path: PathBuf,
    targets: Vec<Target>,
}

/// One line of a manifest's dependencies.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// The versions that it takes.
    pub(crate) req: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    rename: Option<String>,
    pub(crate) path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    /// Asks cargo; `manifest` is relative to the root.
    pub(crate) fn read(workspace: &Workspace, manifest: &str) -> anyhow::Result<Self> {
        let args =
            ["metadata", "--locked", "--all-features", "--format-version", "1", "--manifest-path", manifest];
        let output = workspace.cargo(&args).output().context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cannot list the packages: {}", String::from_utf8_lossy(&output.stderr).trim_end());
        }
        serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata printed")
    }

    /// The packages that are members of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.source.is_none())
    }

    /// The packages of others.
    pub(crate) fn external(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.source.is_some())
    }

    /// The name by which Rust code calls a dependency.
    pub(crate) fn crate_name(&self, dependency: &Dependency) -> String {
        let libraries: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .filter_map(|package| Some((package.name.as_str(), package.library()?)))
            .collect();
        let name = dependency.rename.as_deref().or_else(|| libraries.get(dependency.name.as_str()).copied());
        name.unwrap_or(&dependency.name).replace('-', "_")
    }
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The first files of its library and its program, as far as it has them.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let roots = ["src/lib.rs", "src/main.rs"].map(|name| self.folder().join(name));
        roots.into_iter().filter(|root| root.is_file()).collect()
    }

    fn library(&self) -> Option<&str> {
        let is_library =
            |target: &&Target| target.kind.iter().any(|kind| kind.ends_with("lib") || kind == "proc-macro");
        self.targets.iter().find(is_library).map(|target| target.name.as_str())
    }
}
