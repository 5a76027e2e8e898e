//! What a configuration depends on beside its files; read once by the caller.

use std::env;
use std::path::PathBuf;

/// The machine and the process, as far as a configuration depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEnv {
    /// The environment, for `%(ENV_x)s`; `HOME` in it is what `~` means.
    pub environment: Vec<(String, String)>,
    /// The working directory; absolute.
    pub cwd: PathBuf,
    /// For `%(host_node_name)s`.
    pub host_node_name: String,
    /// The default `childlogdir`.
    pub temp_dir: PathBuf,
    /// The effective user.
    pub uid: u32,
}

impl HostEnv {
    /// As they are for this process. Variables that are not UTF-8 are left out.
    pub fn current() -> Self {
        let environment = env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self {
            environment: environment.collect(),
            cwd: env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            host_node_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            temp_dir: temp_dir(),
            uid: rustix::process::getuid().as_raw(),
        }
    }
}

/// The default folder of AUTO logs: what Python's tempfile.gettempdir finds first, but for write access.
fn temp_dir() -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let usual = ["/tmp", "/var/tmp", "/usr/tmp"].into_iter().map(PathBuf::from);
    named.chain(usual).find(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from("/tmp"))
}
