//! Lint: rules that no other tool checks, about files, names and dependencies.

mod files;
mod names;
mod unused;

use anyhow::bail;

use crate::workspace::Workspace;

/// Runs every rule and lists all faults.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let rules = [files::faults, names::faults, unused::faults];
    let mut faults = Vec::new();
    for rule in rules {
        faults.extend(rule(workspace)?);
    }
    if !faults.is_empty() {
        bail!("{} faults\n{}", faults.len(), faults.join("\n"));
    }
    Ok(())
}
