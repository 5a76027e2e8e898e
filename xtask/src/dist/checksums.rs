//! SHA256SUMS, to be checked by `sha256sum --check`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::workspace::{Workspace, stdout_of};

/// Writes it beside the files.
pub(super) fn write(workspace: &Workspace, folder: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let mut command = workspace.command("sha256sum", &["--"]);
    command.args(files.iter().filter_map(|file| file.file_name()).map(OsStr::to_owned)).current_dir(folder);
    let list = folder.join("SHA256SUMS");
    fs::write(&list, stdout_of(&mut command)?).with_context(|| format!("cannot write {}", list.display()))
}
