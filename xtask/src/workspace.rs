//! The repository, `Workspace`: its folders, its packages, and commands in them that are printed before they run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};

/// The manifest of the product and of these tasks.
pub(crate) const MAIN_MANIFEST: &str = "Cargo.toml";

/// The fuzz targets are a workspace of their own, so that their engine is built only when asked for.
pub(crate) const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";

/// A checkout and its build folder.
pub(crate) struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's build folder, absolute.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the repository this program was built from.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("cannot find the repository: xtask stands in no folder")?;
        let root = root.canonicalize().with_context(|| format!("cannot find the repository {root:?}"))?;
        let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        Ok(Self { root, target })
    }

    /// The command, to be run in the repository's root.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.root);
        command
    }

    /// Cargo as it called us, so that the pinned toolchain stays the same.
    pub(crate) fn cargo(&self, args: &[&str]) -> Command {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        self.command(&cargo, args)
    }

    /// The packages of a workspace and all that they depend on; `manifest` is relative to the root.
    pub(crate) fn metadata(&self, manifest: &str) -> anyhow::Result<Metadata> {
        MetadataCommand::new()
            .manifest_path(self.root.join(manifest))
            .features(CargoOpt::AllFeatures)
            .other_options(["--locked".to_owned()])
            .exec()
            .with_context(|| format!("cannot list the packages of {manifest}"))
    }

    /// Makes sure that the packages the tests need are there; says which when they cannot be had.
    pub(crate) fn install_packages(&self) -> anyhow::Result<()> {
        run(self.command("scripts/debian", &[]))
    }

    /// Makes sure that the originals are there; gives the folder of their commands.
    pub(crate) fn originals(&self) -> anyhow::Result<PathBuf> {
        let mut command = self.command("scripts/originals", &[]);
        command.arg(self.target.join("originals"));
        show(&command);
        let bin = stdout_of(command.stderr(Stdio::inherit())).context("cannot get the originals")?;
        Ok(PathBuf::from(bin.trim_end()))
    }

    /// A path of the repository, for messages.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// Shows the command, runs it, and fails when it fails.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    show(&command);
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("cannot run {program:?}"))?;
    if !status.success() {
        bail!("{} ended with {status}", describe(&command));
    }
    Ok(())
}

/// What a command prints on its stdout; fails when the command fails, with what it printed on its stderr.
pub(crate) fn stdout_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("cannot read what {command:?} printed"))
}

fn show(command: &Command) {
    eprintln!("xtask: {}", describe(command));
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().filter(|_| program.is_absolute()).unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}
