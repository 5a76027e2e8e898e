//! `cargo xtask fuzz [--seconds N]`: each fuzz target for a while.

use std::process::Stdio;

use crate::workspace::{self, FUZZ_MANIFEST, Workspace};

/// Runs each target of the fuzz workspace, one after the other.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> anyhow::Result<()> {
    let mut probe = workspace.cargo(&["fuzz", "--version"]);
    if !probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        workspace::run(workspace.cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let limit = format!("-max_total_time={seconds}");
    let metadata = workspace.metadata(FUZZ_MANIFEST)?;
    for target in metadata.workspace_packages().iter().flat_map(|package| &package.targets) {
        // Without a sanitizer it runs on the stable toolchain, and the code under test has no `unsafe`.
        let mut fuzz = workspace.cargo(&["fuzz", "run", "--sanitizer", "none", &target.name, "--", &limit]);
        fuzz.args(["-timeout=10", "-rss_limit_mb=1024"]);
        workspace::run(fuzz)?;
    }
    Ok(())
}
