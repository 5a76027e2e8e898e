//! What a configuration depends on beside its files; read once by the caller.

use std::path::PathBuf;

/// The machine and the process, as far as a configuration can tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment, for `%(ENV_x)s`; `HOME` in it is what `~` means.
    pub environment: Vec<(String, String)>,
    /// The working directory; absolute.
    pub cwd: PathBuf,
    /// For `%(host_node_name)s`.
    pub host_node_name: String,
    /// The `childlogdir` unless told otherwise.
    pub temp_dir: PathBuf,
    /// Who we are.
    pub uid: u32,
}
