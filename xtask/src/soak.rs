//! `cargo xtask soak [--seconds N]`: children, listeners and clients of a loaded daemon are killed at random.

use anyhow::{Context, bail};

use crate::workspace::{self, Workspace};

/// Long enough for a leak of a descriptor or a kilobyte in a minute to be seen.
const SECONDS: u64 = 600;

/// The long form of crates/e2e/tests/soak.rs, on a binary as it is released.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let seconds = match args {
        [] => SECONDS,
        [flag, seconds] if flag == "--seconds" => {
            seconds.parse().with_context(|| format!("cannot take {seconds:?} for a number of seconds"))?
        }
        _ => bail!("cannot take {args:?}: only --seconds N"),
    };
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
