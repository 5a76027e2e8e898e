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

use anyhow::{Context, bail};

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

/// What the arguments ask for.
#[derive(Default)]
struct Options {
    /// This binary instead of a new one.
    binary: Option<PathBuf>,
    /// Where everything goes.
    folder: Option<PathBuf>,
    /// Only these kinds.
    only: Vec<String>,
}

impl Options {
    fn of(args: &[String]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("cannot do without a value: {arg}"));
            match arg.as_str() {
                "--binary" => options.binary = Some(value()?.into()),
                "--folder" => options.folder = Some(value()?.into()),
                "--only" => options.only.push(value()?.clone()),
                other => bail!("cannot take {other:?}: dist has --binary PATH, --folder DIR and --only KIND"),
            }
        }
        if let Some(wrong) = options.only.iter().find(|name| KINDS.iter().all(|kind| kind.name != *name)) {
            bail!("cannot make {wrong:?}: the kinds are {}", KINDS.map(|kind| kind.name).join(", "));
        }
        Ok(options)
    }
}

/// Makes every kind of package, or those that are asked for.
pub(crate) fn run(workspace: &Workspace, args: &[String]) -> anyhow::Result<()> {
    let options = Options::of(args)?;
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

/// What a command says on its stdout; it must end well.
fn stdout_of(mut command: std::process::Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("cannot read what {command:?} says"))
}

/// A line that a person runs in a shell, in a folder.
fn shell(folder: &Path, script: &str, epoch: u64) -> anyhow::Result<()> {
    let mut command = std::process::Command::new("sh");
    command.args(["-euc", script]).current_dir(folder);
    command.env("SOURCE_DATE_EPOCH", epoch.to_string()).env("LC_ALL", "C");
    workspace::run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> anyhow::Result<Options> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::of(&args)
    }

    #[test]
    fn what_dist_does_not_know_is_refused() {
        let all = options("--binary /b --folder out --only deb --only rpm").unwrap();
        assert_eq!((all.binary, all.folder), (Some("/b".into()), Some("out".into())));
        assert_eq!(all.only, ["deb", "rpm"]);
        for line in ["--only snap", "--binary", "--profile x", "deb"] {
            assert!(options(line).is_err(), "{line}");
        }
    }
}
