//! `cargo xtask bench [--quick]`: the originals and us, measured in one run.

use std::path::PathBuf;

use anyhow::bail;

use crate::workshop::{self, Workshop};

/// Builds what is measured, then hands over to the workloads in crates/e2e/benches.
///
/// They live there because they need the harness, and nothing may depend on that crate.
pub(crate) fn run(shop: &Workshop, args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.iter().find(|arg| *arg != "--quick") {
        bail!("cannot take {arg:?}: only --quick");
    }
    shop.debian()?;
    let originals = shop.originals()?;
    let dynamic = build(shop, "dynamic", "")?;
    let fixed = build(shop, "static", "-C target-feature=+crt-static")?;
    // The workloads measure other processes; how they themselves are compiled does not matter.
    let mut bench =
        shop.cargo(&["bench", "--profile", "dev", "--package", "ironlance-e2e", "--bench", "figures", "--"]);
    bench
        .args(args)
        .env("IRONLANCE_BIN", dynamic)
        .env("IRONLANCE_STATIC_BIN", fixed)
        .env("IRONLANCE_ORIGINALS", originals);
    workshop::run(bench)
}

/// A release build in a folder of its own, so that its flags do not throw away the other one.
fn build(shop: &Workshop, name: &str, flags: &str) -> anyhow::Result<PathBuf> {
    let folder = shop.target.join(name);
    let mut build = shop.cargo(&["build", "--release", "--package", "ironlance"]);
    build.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", flags);
    workshop::run(build)?;
    Ok(folder.join("release/ironlance"))
}
