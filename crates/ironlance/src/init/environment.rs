//! [`InitEnv`]: this machine, its mailer and our binary, and the defaults that follow from them.

use std::env;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use ironlance_config::HostEnv;

use super::config_text::CommandPrefix;
use super::escape::for_shell;
use super::paths;
use crate::import::path_search::find_program;

/// Paths of a mailer, tried before the `PATH`; crashmail's own default first.
const MAILERS: [&str; 2] = ["/usr/sbin/sendmail", "/usr/lib/sendmail"];

/// The environment that `init` runs in.
pub(super) struct InitEnv {
    pub(super) host_env: HostEnv,
    /// The root of the system's paths: `/`, except in tests.
    pub(super) root: PathBuf,
    /// Our binary, absolute.
    pub(super) binary: PathBuf,
    /// The command of the mailer that was found.
    pub(super) mailer: Option<String>,
    /// A mail server listens on this machine.
    pub(super) has_server: bool,
}

/// The address of a mail server of this machine.
const LOCAL_SERVER: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 25);
/// Time limit for connecting to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

impl InitEnv {
    pub(super) fn detect() -> io::Result<Self> {
        let binary = env::current_exe()?;
        let found =
            MAILERS.iter().map(PathBuf::from).find(|file| file.exists()).or_else(|| find_program("sendmail"));
        let mailer = found.map(|file| format!("{} -t -i", for_shell(&file.display().to_string())));
        let has_server =
            mailer.is_none() && TcpStream::connect_timeout(&LOCAL_SERVER.into(), CONNECT_TIMEOUT).is_ok();
        Ok(Self { host_env: HostEnv::current(), root: PathBuf::from("/"), binary, mailer, has_server })
    }

    pub(super) fn default_address(&self) -> String {
        let user = self
            .variable("USER")
            .or_else(|| self.variable("LOGNAME"))
            .unwrap_or_else(|| if self.host_env.uid == 0 { "root".to_owned() } else { "ops".to_owned() });
        format!("{user}@{}", self.host_env.host_node_name)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let found = self.host_env.environment.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    }

    pub(super) fn default_transport(&self) -> &'static str {
        match (&self.mailer, self.has_server) {
            (Some(_), _) => "sendmail",
            (None, true) => "localhost:25",
            (None, false) => "file",
        }
    }

    pub(super) fn default_file(&self) -> PathBuf {
        paths::default_file(&self.root, self.host_env.uid)
    }

    /// The configuration that a package installed, if the user is root.
    pub(super) fn packaged(&self) -> Option<PathBuf> {
        paths::packaged(&self.root, self.host_env.uid)
    }

    /// How the configuration calls our commands: by name if the `PATH` leads to this binary, otherwise by its path.
    pub(super) fn command_prefix(&self) -> CommandPrefix {
        match self.is_ours("crashmail") {
            true => CommandPrefix::ByName,
            false => CommandPrefix::ByBinary(self.binary.display().to_string()),
        }
    }

    /// The same for a command line that the user can paste.
    pub(super) fn command_line(&self, command: &str) -> String {
        if self.is_ours(command) {
            return command.to_owned();
        }
        match self.is_ours("ironlance") {
            true => format!("ironlance {command}"),
            false => format!("{} {command}", for_shell(&self.binary.display().to_string())),
        }
    }

    fn is_ours(&self, command: &str) -> bool {
        let found = find_program(command).and_then(|file| file.canonicalize().ok());
        found.is_some() && found == self.binary.canonicalize().ok()
    }
}
