//! `cargo xtask dist`: from the sources to what people install.
//!
//! ```text
//!   static build, or --binary ──▶ product (binary, pages, completions) ──▶ tree ──▶ tarball, deb, rpm, image
//!                                                                                      └──▶ SHA256SUMS
//! ```
//!
//! The same binary gives the same packages, byte for byte: every file is as old as SOURCE_DATE_EPOCH, else as the last
//! commit.

mod binary;
mod checksums;
mod deb;
mod image;
mod product;
mod rpm;
mod staging;
mod tarball;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use walkdir::WalkDir;

use crate::workspace::{self, Workspace};
use product::Product;

/// One kind of package: makes files in a folder, and gives their names.
struct Kind {
    name: &'static str,
    make: fn(&Workspace, &Product, &Path) -> anyhow::Result<PathBuf>,
}

const KINDS: [Kind; 4] = [
    Kind { name: "tarball", make: tarball::make },
    Kind { name: "deb", make: deb::make },
    Kind { name: "rpm", make: rpm::make },
    Kind { name: "docker", make: image::make },
];

/// What to make of what.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Package this binary instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Where everything goes: target/dist by default
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only these kinds; may be given more than once
    #[arg(long, value_name = "KIND", value_parser = KINDS.map(|kind| kind.name))]
    only: Vec<String>,
}

/// Makes every kind of package, or those that are asked for.
pub(crate) fn run(workspace: &Workspace, options: Options) -> anyhow::Result<()> {
    let folder = options.folder.unwrap_or_else(|| workspace.target.join("dist"));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
    let binary = match options.binary {
        Some(binary) => binary::stripped(workspace, &binary, &folder)?,
        None => binary::build(workspace, &folder)?,
    };
    let product = Product::gather(workspace, binary, &folder)?;
    let mut files = Vec::new();
    for kind in KINDS
        .iter()
        .filter(|kind| options.only.is_empty() || options.only.iter().any(|name| name == kind.name))
    {
        let made = (kind.make)(workspace, &product, &folder)
            .with_context(|| format!("cannot make the {}", kind.name))?;
        eprintln!("xtask: made {}", workspace.relative(&made).display());
        files.extend(Some(made).filter(|made| made.is_file()));
    }
    checksums::write(workspace, &folder, &files)?;
    let work = folder.join("work");
    fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))
}

/// Removes a folder of an earlier run, and makes an empty one.
fn empty_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// Every file that is none of a folder, by its path from the folder, sorted.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_dir() {
            files.push(entry.path().strip_prefix(folder)?.to_owned());
        }
    }
    Ok(files)
}

/// A line that a person runs in a shell, in a folder.
fn shell(folder: &Path, script: &str, epoch: u64) -> anyhow::Result<()> {
    let mut command = std::process::Command::new("sh");
    command.args(["-euc", script]).current_dir(folder);
    command.env("SOURCE_DATE_EPOCH", epoch.to_string()).env("LC_ALL", "C");
    workspace::run(command)
}
