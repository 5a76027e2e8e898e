//! `cargo xtask check`: everything that a change must pass, in one command.

use std::time::Instant;

use anyhow::bail;

use crate::workspace::{self, FUZZ_MANIFEST, Workspace};
use crate::{layering, licences, lint, test};

/// One part of the check.
pub(crate) struct Step {
    /// As people name it.
    pub(crate) name: &'static str,
    run: fn(&Workspace) -> anyhow::Result<()>,
}

/// The quick ones first; a part that fails does not hide what the next ones find.
pub(crate) const STEPS: [Step; 7] = [
    Step { name: "lint", run: lint::run },
    Step { name: "layering", run: layering::run },
    Step { name: "licences", run: licences::run },
    Step { name: "format", run: format },
    Step { name: "clippy", run: clippy },
    Step { name: "documentation", run: documentation },
    Step { name: "tests", run: |workspace| test::run(workspace, &[]) },
];

/// Runs every step, or those that are named, and lists those that failed.
pub(crate) fn run(workspace: &Workspace, names: &[String]) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name)) {
        eprintln!("xtask: == {}", step.name);
        let began = Instant::now();
        if let Err(error) = (step.run)(workspace) {
            eprintln!("xtask: {}: {error:#}", step.name);
            failed.push(step.name);
        }
        eprintln!("xtask: == {} took {:.1} s", step.name, began.elapsed().as_secs_f64());
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    Ok(())
}

fn format(workspace: &Workspace) -> anyhow::Result<()> {
    workspace::run(workspace.cargo(&["fmt", "--all", "--", "--check"]))?;
    workspace::run(workspace.cargo(&["fmt", "--manifest-path", FUZZ_MANIFEST, "--", "--check"]))
}

fn clippy(workspace: &Workspace) -> anyhow::Result<()> {
    workspace::run(workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let mut fuzz = workspace.cargo(&["clippy", "--manifest-path", FUZZ_MANIFEST, "--", "-D", "warnings"]);
    // One build folder for both workspaces: what they share is compiled once. Nothing is linked, so the engine need not
    // be there: it would be compiled from C++.
    fuzz.env("CARGO_TARGET_DIR", &workspace.target).env("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a");
    workspace::run(fuzz)
}

fn documentation(workspace: &Workspace) -> anyhow::Result<()> {
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    // Private items are documented too, so that links to them lead somewhere.
    doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private-intra-doc-links");
    workspace::run(doc)
}
