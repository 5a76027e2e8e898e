//! What is packaged: the binary, and what it says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::{empty_folder, files_below};
use crate::workspace::{Workspace, stdout_of};

/// A binary with everything that belongs to it.
pub(super) struct Product {
    /// The binary.
    pub(super) binary: PathBuf,
    /// Such as `0.1.0`.
    pub(super) version: String,
    /// How old all files are, in seconds since 1970.
    pub(super) epoch: u64,
    /// The folder with man1, man5 and man8.
    pub(super) pages: PathBuf,
    /// The folder with a script for each of [`SHELLS`], by its name.
    pub(super) scripts: PathBuf,
    /// The names that the binary stands in for, each to be a link.
    pub(super) links: Vec<String>,
}

/// The shells that it has a completion for.
pub(super) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

impl Product {
    /// Asks the binary for its version, manual pages and completions, and keeps them in the folder `work`.
    pub(super) fn gather(workspace: &Workspace, binary: PathBuf, folder: &Path) -> anyhow::Result<Self> {
        let work = folder.join("work");
        empty_folder(&work)?;
        let ask = |args: &[&str]| stdout_of(Command::new(&binary).args(args));
        let version = ask(&["--version"])?;
        let version = version.trim().rsplit(' ').next().unwrap_or_default().to_owned();
        let pages = work.join("man");
        stdout_of(Command::new(&binary).args(["manual", "--folder"]).arg(&pages))?;
        let scripts = work.join("completion");
        fs::create_dir_all(&scripts).with_context(|| format!("cannot make {}", scripts.display()))?;
        for shell in SHELLS {
            let file = scripts.join(shell);
            fs::write(&file, ask(&["completion", shell])?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let links = links(&pages)?;
        Ok(Self { binary, version, epoch: epoch(workspace)?, pages, scripts, links })
    }

    /// A file name for a package.
    pub(super) fn name(&self, before: &str, after: &str) -> String {
        format!("ironlance{before}{}{after}", self.version)
    }
}

/// Every command with a page of its own is a link, but those that are only said behind `ironlance`.
fn links(pages: &Path) -> anyhow::Result<Vec<String>> {
    let commands = files_below(pages)?.into_iter().filter(|page| !page.starts_with("man5"));
    let names = commands.filter_map(|page| Some(page.file_stem()?.to_str()?.to_owned()));
    Ok(names.filter(|name| !name.starts_with("ironlance")).collect())
}

/// SOURCE_DATE_EPOCH, else the time of the last commit (reproducible-builds.org/specs/source-date-epoch).
fn epoch(workspace: &Workspace) -> anyhow::Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => stdout_of(&mut workspace.command("git", &["log", "-1", "--format=%ct"]))
            .unwrap_or_else(|_| "0".to_owned()),
    };
    text.trim().parse().with_context(|| format!("cannot read a time: {text:?}"))
}
