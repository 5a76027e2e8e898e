//! [`find_program`]: the programs of this machine, searched in the `PATH`.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file that a command's first word names, searched in the `PATH` if it has no slash.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|file| can_run(file));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin:/usr/local/bin".into());
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| can_run(file))
}

fn can_run(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
