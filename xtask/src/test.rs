//! `cargo xtask test`: whatever the tests need is fetched and built first; a part that is missing is a failure.

use std::time::Instant;

use crate::workspace::{self, Workspace};

/// The binary is built in the same profile as the tests: one set of dependencies to compile.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let began = Instant::now();
    workspace.install_packages()?;
    let originals = workspace.originals()?;
    workspace::run(workspace.cargo(&["build", "--package", "ironlance"]))?;
    let mut tests = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    tests
        .args(args)
        .env("IRONLANCE_BIN", workspace.target.join("debug/ironlance"))
        .env("IRONLANCE_ORIGINALS", originals);
    workspace::run(tests)?;
    eprintln!("xtask: all tests passed after {} s", began.elapsed().as_secs());
    Ok(())
}
