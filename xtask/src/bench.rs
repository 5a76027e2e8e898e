//! `cargo xtask bench [--quick] [--only WORKLOAD] [--who CONTENDER]`: the originals and us, measured in one run.

use std::env;
use std::path::PathBuf;

use anyhow::bail;

use crate::workspace::{self, Workspace};

/// Builds what is measured, then hands over to the workloads in crates/e2e/benches.
///
/// They live there because they need the harness, and nothing may depend on that crate.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let mut left = args.iter();
    while let Some(arg) = left.next() {
        let is_known = match arg.as_str() {
            "--quick" => true,
            "--only" | "--who" => left.next().is_some(),
            _ => false,
        };
        if !is_known {
            bail!("cannot take {arg:?}: only --quick, --only WORKLOAD and --who CONTENDER");
        }
    }
    workspace.install_packages()?;
    let originals = workspace.originals()?;
    let dynamic = build(workspace, "dynamic", "")?;
    let fixed = build(workspace, "static", "-C target-feature=+crt-static")?;
    let mut bench = workspace.cargo(&["bench", "--package", "ironlance-e2e", "--bench", "figures", "--"]);
    bench
        .args(args)
        // The workloads only wait for others: optimised a little is enough, and compiled far sooner.
        .env("CARGO_PROFILE_BENCH_LTO", "off")
        .env("CARGO_PROFILE_BENCH_CODEGEN_UNITS", "16")
        .env("IRONLANCE_BIN", dynamic)
        .env("IRONLANCE_STATIC_BIN", fixed)
        .env("IRONLANCE_ORIGINALS", originals);
    workspace::run(bench)
}

/// A release build in a folder of its own, so that its flags do not throw away the other one.
fn build(workspace: &Workspace, name: &str, flags: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace.target.join(name);
    // Named, the target is kept apart from what runs while building: procedural macros cannot be static.
    let target = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let mut build = workspace.cargo(&["build", "--release", "--package", "ironlance", "--target", &target]);
    build.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", flags);
    workspace::run(build)?;
    Ok(folder.join(target).join("release/ironlance"))
}
