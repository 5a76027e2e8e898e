//! [`ListenerEnv`]: the supervisord that started this listener, its own name, this host and the state folder.

use std::env;
use std::path::PathBuf;

use ironlance_alert::outbox::origin_file;
use ironlance_core::Namespec;
use ironlance_host::state_folder::own_state_folder;
use ironlance_rpc::Client;
use ironlance_rpc::client::EndpointError;

/// The environment of a listener: variables that supervisord sets, this host, and the state folder.
#[derive(Clone, Debug)]
pub(crate) struct ListenerEnv {
    /// `SUPERVISOR_SERVER_URL`; unset when no supervisord started this process.
    pub server_url: Option<String>,
    /// `SUPERVISOR_USERNAME`.
    pub username: Option<String>,
    /// `SUPERVISOR_PASSWORD`.
    pub password: Option<String>,
    /// This listener, by `SUPERVISOR_GROUP_NAME` and `SUPERVISOR_PROCESS_NAME`.
    pub own_name: Option<Namespec>,
    /// `IRONLANCE_EVENTS`: the events that our own supervisord sends to this listener, by the names in `events=`.
    pub events: Option<String>,
    /// This host's name.
    pub host: String,
    /// The folder of the outbox and of the pending restarts.
    pub state_dir: PathBuf,
}

impl ListenerEnv {
    /// Reads the environment of this process.
    pub(crate) fn from_env() -> Self {
        let group = env::var("SUPERVISOR_GROUP_NAME").ok();
        let process = env::var("SUPERVISOR_PROCESS_NAME").ok();
        Self {
            server_url: env::var("SUPERVISOR_SERVER_URL").ok(),
            username: env::var("SUPERVISOR_USERNAME").ok(),
            password: env::var("SUPERVISOR_PASSWORD").ok(),
            own_name: group.zip(process).map(|(group, process)| Namespec::new(group, process)),
            events: env::var("IRONLANCE_EVENTS").ok(),
            host: host_name(),
            state_dir: own_state_folder(),
        }
    }

    /// A client of the supervisord that started this process; `None` when none did.
    pub(crate) fn supervisor(&self) -> Result<Option<Client>, EndpointError> {
        let Some(url) = &self.server_url else { return Ok(None) };
        Client::new(url, self.username.clone(), self.password.clone()).map(Some)
    }

    /// The file of the programs that this listener stopped and has to start.
    pub(crate) fn pending_restarts_file(&self, command: &str) -> PathBuf {
        self.state_dir.join(format!("restart-{}", origin_file(&self.origin(command))))
    }

    /// What identifies this listener over restarts: command, name and supervisord.
    pub(crate) fn origin(&self, command: &str) -> String {
        let name = self.own_name.as_ref().map_or_else(|| "by hand".to_owned(), Namespec::qualified);
        format!("{command} {name} {}", self.server_url.as_deref().unwrap_or_default())
    }
}

/// The name of this host, as the kernel has it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
