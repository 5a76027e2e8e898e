//! Where the demo's supervisord comes from: the venv that scripts/originals makes in the checkout.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

/// A folder of commands that is used instead, when it is set.
const VARIABLE: &str = "IRONLANCE_ORIGINALS";
/// What makes the venv; a folder that has it is a checkout.
const SCRIPT: &str = "scripts/originals";

/// Why there is no supervisord.
#[derive(Debug, Error)]
pub(super) enum OriginalsError {
    #[error("cannot find supervisord in {}, which {VARIABLE} names", .0.display())]
    NotThere(PathBuf),
    #[error(
        "cannot find the checkout: there is no {SCRIPT} in {} nor in or above the current folder; run the demo in a \
         checkout, or let {VARIABLE} name the bin folder of a venv with supervisor 4.3",
        .0.display()
    )]
    NoCheckout(PathBuf),
    #[error("cannot run {}: {}", .0.display(), .1)]
    NotRun(PathBuf, std::io::Error),
    #[error("cannot get the Python supervisord: {} ended with {}; its last line says why", .0.display(), .1)]
    NotMade(PathBuf, ExitStatus),
}

/// The folder with supervisord and python3; made when it is missing, which takes a moment and the package index.
pub(super) fn bin() -> Result<PathBuf, OriginalsError> {
    if let Some(bin) = env::var_os(VARIABLE).map(PathBuf::from) {
        let bin = bin.canonicalize().unwrap_or(bin);
        return if bin.join("supervisord").is_file() { Ok(bin) } else { Err(OriginalsError::NotThere(bin)) };
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = env::current_dir().unwrap_or_default();
    let root = checkout(built_in, &here).ok_or_else(|| OriginalsError::NoCheckout(built_in.to_owned()))?;
    let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let script = root.join(SCRIPT);
    let output = Command::new(&script)
        .arg(target.join("originals"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| OriginalsError::NotRun(script.clone(), error))?;
    if !output.status.success() {
        return Err(OriginalsError::NotMade(script, output.status));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
}

/// The checkout that this binary was built in, or else the one that somebody stands in.
fn checkout<'a>(built_in: &'a Path, here: &'a Path) -> Option<&'a Path> {
    built_in.ancestors().chain(here.ancestors()).find(|folder| folder.join(SCRIPT).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_checkout_is_found_from_where_we_were_built_or_else_from_where_we_are() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old/crates/x"), folder.path().join("new"));
        fs::create_dir_all(new.join("scripts")).unwrap();
        fs::create_dir_all(new.join("docs")).unwrap();
        fs::write(new.join(SCRIPT), "").unwrap();
        assert_eq!(checkout(&old, &new.join("docs")), Some(new.as_path()));
        assert_eq!(checkout(&new.join("crates/x"), folder.path()), Some(new.as_path()));
        assert_eq!(checkout(&old, folder.path()), None);
    }
}
