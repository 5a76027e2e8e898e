//! Whose commands: the originals' or ours, and where they are.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, process};

use anyhow::{Context, bail, ensure};

/// The names under which our binary stands in for Supervisor.
pub const SUPERVISORS: [&str; 4] = ["supervisord", "supervisorctl", "echo_supervisord_conf", "pidproxy"];

/// The names under which our binary stands in for superlance.
pub const LISTENERS: [&str; 6] =
    ["crashmail", "crashmailbatch", "fatalmailbatch", "crashsms", "httpok", "memmon"];

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// Supervisor 4.3.0 and superlance 2.0.0, from the venv that scripts/originals makes.
    Original,
    /// The binary under test.
    Ours,
}

impl Implementation {
    /// The original first: it sets what is expected.
    pub const BOTH: [Self; 2] = [Self::Original, Self::Ours];

    /// The folder with the commands.
    pub fn bin(self) -> anyhow::Result<PathBuf> {
        match self {
            Self::Original => originals(),
            Self::Ours => links(),
        }
    }

    /// Where the two differ by decision: fails unless this one says what is its own to say.
    pub fn expect_difference(self, actual: &str, original: &str, ours: &str) -> anyhow::Result<()> {
        let expected = match self {
            Self::Original => original,
            Self::Ours => ours,
        };
        ensure!(actual == expected, "expected {expected:?}, found {actual:?}");
        Ok(())
    }

    /// The path of one command.
    pub fn path(self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.bin()?.join(name))
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::Ours => "ours",
        })
    }
}

/// Our binary: `IRONLANCE_BIN`, or the one that cargo built beside the running test.
pub fn binary() -> anyhow::Result<PathBuf> {
    let path = match env::var_os("IRONLANCE_BIN") {
        Some(path) => PathBuf::from(path),
        None => profile_folder()?.join("ironlance"),
    };
    if !path.is_file() {
        bail!(
            "cannot find our binary {}: run `cargo xtask test`, or `cargo build -p ironlance` first",
            path.display()
        );
    }
    path.canonicalize().with_context(|| format!("cannot resolve {}", path.display()))
}

/// The folder of the venv's commands: `IRONLANCE_ORIGINALS`, or where xtask puts them.
fn originals() -> anyhow::Result<PathBuf> {
    let bin = match env::var_os("IRONLANCE_ORIGINALS") {
        Some(bin) => PathBuf::from(bin),
        None => profile_folder()?.with_file_name("originals").join("bin"),
    };
    if !bin.join("supervisord").is_file() {
        bail!(
            "cannot find the originals in {}: run `cargo xtask test`, or scripts/originals first",
            bin.display()
        );
    }
    Ok(bin)
}

/// A folder with a link for each name, all to our binary.
fn links() -> anyhow::Result<PathBuf> {
    let binary = binary()?;
    let kind = binary.parent().and_then(Path::file_name).unwrap_or_default().to_owned();
    let target = binary.parent().and_then(Path::parent).context("cannot find the build folder")?;
    let bin = target.join("e2e").join(kind);
    fs::create_dir_all(&bin).with_context(|| format!("cannot make {}", bin.display()))?;
    for name in LISTENERS.into_iter().chain(SUPERVISORS).chain(["ironlance"]) {
        link(&binary, &bin.join(name))?;
    }
    Ok(bin)
}

/// Tests run side by side: the link appears as a whole or not at all.
fn link(binary: &Path, link: &Path) -> anyhow::Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == binary) {
        return Ok(());
    }
    let id = format!("{}-{:?}", process::id(), std::thread::current().id());
    let fresh = link.with_extension(id);
    match symlink(binary, &fresh) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("cannot make the link {}", fresh.display()))
        }
        _ => fs::rename(&fresh, link).with_context(|| format!("cannot make the link {}", link.display())),
    }
}

/// `target/debug`, from a test in `target/debug/deps`.
fn profile_folder() -> anyhow::Result<PathBuf> {
    let test = env::current_exe().context("cannot tell where the test runs")?;
    let folder = test.parent().and_then(Path::parent).context("cannot find the build folder")?;
    Ok(folder.to_owned())
}
