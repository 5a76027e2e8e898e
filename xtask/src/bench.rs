//! `cargo xtask bench [--quick] [--only WORKLOAD] [--who CONTENDER]`: the originals and us, measured in one run.

use std::env;
use std::path::PathBuf;

use crate::workspace::{self, Workspace};

/// What is measured, and how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fewer rounds: to try a workload, not to publish
    #[arg(long)]
    quick: bool,
    /// Only this workload
    #[arg(long, value_name = "WORKLOAD")]
    only: Option<String>,
    /// Only this contender
    #[arg(long, value_name = "CONTENDER")]
    who: Option<String>,
}

/// Builds what is measured, then hands over to the workloads in crates/e2e/benches.
///
/// They live there because they need the harness, and nothing may depend on that crate.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> anyhow::Result<()> {
    workspace.install_packages()?;
    let originals = workspace.originals()?;
    let dynamic = build(workspace, "dynamic", "")?;
    let fixed = build(workspace, "static", "-C target-feature=+crt-static")?;
    let mut bench = workspace.cargo(&["bench", "--package", "ironlance-e2e", "--bench", "figures", "--"]);
    bench
        .args(options.quick.then_some("--quick"))
        .args(options.only.iter().flat_map(|name| ["--only", name]))
        .args(options.who.iter().flat_map(|name| ["--who", name]))
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
