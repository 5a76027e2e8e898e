//! `cargo xtask check`: everything that a change must pass, in one command.

use std::process::Stdio;

use anyhow::bail;

use crate::workspace::{self, Workspace};
use crate::{layering, lint, test};

/// One part of the check.
struct Step {
    name: &'static str,
    run: fn(&Workspace) -> anyhow::Result<()>,
}

/// The quick ones first; a part that fails does not hide what the next ones find.
const STEPS: &[Step] = &[
    Step { name: "lint", run: lint::run },
    Step { name: "layering", run: layering::run },
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "documentation", run: documentation },
    Step { name: "licences, bans, sources", run: dependencies },
    Step { name: "tests", run: |workspace| test::run(workspace, &[]) },
];

/// Runs every step and names those that failed.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    if let Some(arg) = args.first() {
        bail!("cannot take {arg:?}: check has no arguments");
    }
    let mut failed = Vec::new();
    for step in STEPS {
        eprintln!("xtask: == {}", step.name);
        if let Err(error) = (step.run)(workspace) {
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

fn format(workspace: &Workspace) -> anyhow::Result<()> {
    workspace::run(workspace.cargo(&["fmt", "--all", "--", "--check"]))?;
    workspace::run(workspace.cargo(&["fmt", "--manifest-path", FUZZ, "--", "--check"]))
}

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    workspace::run(workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut fuzz = workspace.cargo(&["clippy", "--manifest-path", FUZZ, "--", "-D", "warnings"]);
    // One build folder for both workspaces: what they share is compiled once.
    fuzz.env("CARGO_TARGET_DIR", &workspace.target);
    workspace::run(fuzz)
}

fn documentation(workspace: &Workspace) -> anyhow::Result<()> {
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    workspace::run(doc)
}

/// Advisories are left out: their database is a git repository that not every machine can reach.
fn dependencies(workspace: &Workspace) -> anyhow::Result<()> {
    let mut probe = workspace.cargo(&["deny", "--version"]);
    let there =
        probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !there {
        workspace::run(workspace.cargo(&["install", "--locked", "cargo-deny"]))?;
    }
    workspace::run(workspace.cargo(&["deny", "check", "licenses", "bans", "sources"]))
}
