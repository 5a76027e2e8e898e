//! `cargo xtask fuzz [--seconds N]`: each fuzz target for a while.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::workspace::{self, Workspace};

/// Long enough to notice a parser that panics on the first odd byte, short enough to be run often.
const SECONDS: u64 = 30;

/// Runs each target of fuzz/fuzz_targets, one after the other.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let seconds = match args {
        [] => SECONDS,
        [flag, seconds] if flag == "--seconds" => {
            seconds.parse().with_context(|| format!("cannot take {seconds:?} for a number of seconds"))?
        }
        _ => bail!("cannot take {args:?}: only --seconds N"),
    };
    let mut probe = workspace.cargo(&["fuzz", "--version"]);
    if !probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        workspace::run(workspace.cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    for target in targets(&workspace.root.join("fuzz/fuzz_targets"))? {
        // Without a sanitizer it runs on the stable toolchain, and the code under test has no `unsafe`.
        let limit = format!("-max_total_time={seconds}");
        let args = [
            "fuzz",
            "run",
            "--sanitizer",
            "none",
            &target,
            "--",
            &limit,
            "-timeout=10",
            "-rss_limit_mb=1024",
        ];
        workspace::run(workspace.cargo(&args))?;
    }
    Ok(())
}

fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    if names.is_empty() {
        bail!("cannot find a fuzz target in {}", folder.display());
    }
    names.sort();
    Ok(names)
}
