//! `cargo xtask check`: everything that a change must pass, in one command.

use std::process::Stdio;

use anyhow::bail;

use crate::workshop::{self, Workshop};
use crate::{arrows, house, test};

/// One part of the check.
struct Step {
    name: &'static str,
    run: fn(&Workshop) -> anyhow::Result<()>,
}

/// The quick ones first; a part that fails does not hide what the next ones find.
const STEPS: &[Step] = &[
    Step { name: "house rules", run: house::run },
    Step { name: "crate arrows", run: arrows::run },
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "documentation", run: documentation },
    Step { name: "licences, bans, sources", run: dependencies },
    Step { name: "tests", run: |shop| test::run(shop, &[]) },
];

/// Runs every step and names those that failed.
pub(crate) fn run(shop: &Workshop, args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("cannot take {arg:?}: check has no arguments");
    }
    let mut failed = Vec::new();
    for step in STEPS {
        eprintln!("xtask: == {}", step.name);
        if let Err(error) = (step.run)(shop) {
            eprintln!("xtask: {}: {error:#}", step.name);
            failed.push(step.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    Ok(())
}

/// The fuzz targets are a workspace of their own, so that their engine is built only when asked for.
const FUZZ: &str = "fuzz/Cargo.toml";

fn format(shop: &Workshop) -> anyhow::Result<()> {
    workshop::run(shop.cargo(&["fmt", "--all", "--", "--check"]))?;
    workshop::run(shop.cargo(&["fmt", "--manifest-path", FUZZ, "--", "--check"]))
}

fn clippy(shop: &Workshop) -> anyhow::Result<()> {
    workshop::run(shop.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut fuzz = shop.cargo(&["clippy", "--manifest-path", FUZZ, "--", "-D", "warnings"]);
    // One build folder for both workspaces: what they share is compiled once.
    fuzz.env("CARGO_TARGET_DIR", &shop.target);
    workshop::run(fuzz)
}

fn documentation(shop: &Workshop) -> anyhow::Result<()> {
    let mut doc = shop.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    workshop::run(doc)
}

/// Advisories are left out: their database is a git repository that not every machine can reach.
fn dependencies(shop: &Workshop) -> anyhow::Result<()> {
    let mut probe = shop.cargo(&["deny", "--version"]);
    let there =
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        workshop::run(shop.cargo(&["install", "--locked", "cargo-deny"]))?;
    }
    workshop::run(shop.cargo(&["deny", "check", "licenses", "bans", "sources"]))
}
