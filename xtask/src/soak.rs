//! `cargo xtask soak [--seconds N]`: children, listeners and clients of a loaded daemon are killed at random.

use crate::workspace::{self, Workspace};

/// The long form of crates/e2e/tests/soak.rs, on a binary as it is released.
pub(crate) fn run(workspace: &Workspace, seconds: u64) -> anyhow::Result<()> {
    workspace.install_packages()?;
    let originals = workspace.originals()?;
    workspace::run(workspace.cargo(&["build", "--release", "--package", "ironlance"]))?;
    let mut soak =
        workspace.cargo(&["test", "--package", "ironlance-e2e", "--test", "soak", "--", "--nocapture"]);
    soak.env("IRONLANCE_SOAK_SECONDS", seconds.to_string())
        .env("IRONLANCE_BIN", workspace.target.join("release/ironlance"))
        .env("IRONLANCE_ORIGINALS", originals);
    workspace::run(soak)
}
