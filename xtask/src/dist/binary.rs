//! The binary of a release: static, so that it runs on any Linux of its architecture, also alone in a container.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::workspace::{self, Workspace, stdout_of};

/// The target triple, without which the flags below would be those of build scripts and macros too.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds it, in a build folder of its own: other flags, other objects.
pub(super) fn build(workspace: &Workspace, folder: &Path) -> anyhow::Result<PathBuf> {
    let target = workspace.target.join("static");
    let mut cargo =
        workspace.cargo(&["build", "--release", "--locked", "--target", TARGET, "--package", "ironlance"]);
    cargo.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", flags(workspace));
    workspace::run(cargo)?;
    let built = target.join(TARGET).join("release/ironlance");
    let copy = copy(&built, folder)?;
    check_static(&copy)?;
    Ok(copy)
}

/// No folder of this machine is in the binary.
fn flags(workspace: &Workspace) -> String {
    let home =
        std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let home = home.map(|home| format!(" --remap-path-prefix={home}=cargo")).unwrap_or_default();
    format!("-C target-feature=+crt-static --remap-path-prefix={}=.{home}", workspace.root.display())
}

/// A binary that exists already, without what is only for debuggers.
pub(super) fn stripped(workspace: &Workspace, binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let copy = copy(binary, folder)?;
    let path = copy.to_str().with_context(|| format!("cannot use {copy:?}: not UTF-8"))?;
    workspace::run(workspace.command("strip", &[path]))?;
    Ok(copy)
}

fn copy(binary: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let copy = folder.join("ironlance");
    // A copy onto itself would empty it.
    if copy.canonicalize().is_ok_and(|there| binary.canonicalize().is_ok_and(|binary| binary == there)) {
        return Ok(copy);
    }
    fs::copy(binary, &copy)
        .with_context(|| format!("cannot copy {} to {}", binary.display(), copy.display()))?;
    Ok(copy)
}

/// A static program names no loader and needs no library.
fn check_static(binary: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("readelf");
    let headers = stdout_of(command.args(["--wide", "--program-headers", "--dynamic"]).arg(binary))?;
    match headers.lines().find(|line| line.contains("INTERP") || line.contains("(NEEDED)")) {
        Some(line) => bail!("cannot call {} static: {}", binary.display(), line.trim()),
        None => Ok(()),
    }
}
