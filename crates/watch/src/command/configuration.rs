//! The configuration of the supervisor, as `watch` and its commands need it: [`LoadedConfig`].

use std::env;
use std::path::{Path, PathBuf};

use ironlance_config::{
    Alerting, Config, HostEnv, Overrides, default_paths, load_ctl_settings, load_with_notes,
};
use ironlance_host::state_folder::own_state_folder;
use ironlance_host::supervisor_folder::supervisor_folder;
use ironlance_rpc::Client;
use ironlance_rpc::client::EndpointError;

/// Where a supervisor is told of in the environment of its listeners.
const SERVER_URL: &str = "SUPERVISOR_SERVER_URL";
/// The identifier of a supervisor whose configuration has faults.
const DEFAULT_IDENTIFIER: &str = "supervisor";

/// Which configuration, of which supervisor.
#[derive(Clone, Debug)]
pub struct ConfigChoice {
    /// `-c`: the file; searched for where there is none.
    pub file: Option<PathBuf>,
    /// `-i`: the identifier, where the supervisor's command line gives another than the file.
    pub identifier: Option<String>,
}

/// A configuration that was read.
#[derive(Clone, Debug)]
pub(crate) struct LoadedConfig {
    /// The file, absolute.
    pub(crate) file: PathBuf,
    pub(crate) identifier: String,
    pub(crate) alerting: Alerting,
    /// The processes; none where the configuration has faults that a supervisor would not start with.
    pub(crate) config: Option<Config>,
    /// What is wrong with the alert sections, a line for each.
    pub(crate) faults: Vec<String>,
}

impl ConfigChoice {
    /// Reads the configuration. The error says why there is none.
    pub(crate) fn load(&self) -> Result<LoadedConfig, String> {
        let machine = HostEnv::current();
        let file = match &self.file {
            Some(file) => machine.cwd.join(file),
            None => {
                let called = env::args().next().unwrap_or_default();
                let found = default_paths(&called).into_iter().find(|path| path.exists());
                machine.cwd.join(found.ok_or("cannot find a supervisord.conf; name it with -c")?)
            }
        };
        if !file.exists() {
            return Err(format!("cannot read {}: no such file", file.display()));
        }
        let overrides = Overrides { identifier: self.identifier.clone(), ..Overrides::default() };
        let report = load_with_notes(&file, &overrides, &machine);
        let mut faults: Vec<String> = report.alerting.faults.iter().map(ToString::to_string).collect();
        faults.extend(report.alerting.warnings.iter().cloned());
        let config = match report.config {
            Ok(config) => Some(config),
            Err(errors) => {
                faults.extend(errors.0.iter().map(ToString::to_string));
                None
            }
        };
        let own = config.as_ref().map(|config| config.settings.identifier.clone());
        let identifier = self.identifier.clone().or(own).unwrap_or_else(|| DEFAULT_IDENTIFIER.to_owned());
        Ok(LoadedConfig { file, identifier, alerting: report.alerting.alerting, config, faults })
    }
}

impl LoadedConfig {
    /// The folder of this supervisor in the state folder.
    pub(crate) fn supervisor_folder(&self) -> PathBuf {
        supervisor_folder(&own_state_folder(), &self.identifier, &self.file)
    }

    /// A client of the supervisor: of the one that has started this process, else of the one that the file configures.
    pub(crate) fn client(&self) -> Result<Option<Client>, EndpointError> {
        let told = env::var(SERVER_URL).ok().filter(|url| !url.is_empty());
        let url = told.or_else(|| self.config.as_ref().and_then(Config::server_url));
        let Some(url) = url else { return Ok(None) };
        let (username, password) = credentials(&self.file);
        Client::new(&url, username, password).map(Some)
    }
}

/// Those of the environment, else those of `[supervisorctl]`.
fn credentials(file: &Path) -> (Option<String>, Option<String>) {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(username) = variable("SUPERVISOR_USERNAME") {
        return (Some(username), variable("SUPERVISOR_PASSWORD"));
    }
    match load_ctl_settings(file, &HostEnv::current()) {
        Ok(settings) => (settings.username, settings.password),
        Err(_) => (None, None),
    }
}
