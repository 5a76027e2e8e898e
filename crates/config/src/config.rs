//! The whole of a configuration, as the daemon takes it.

use std::path::PathBuf;

use ironlance_core::GroupName;

use crate::alerting::WatchSummary;
use crate::group::Group;
use crate::server::{HttpServer, ServerAddress};
use crate::settings::Settings;

/// A configuration file and all that it includes, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file, as it was named.
    pub file: PathBuf,
    /// `[supervisord]`, under what the command line gave.
    pub settings: Settings,
    /// By priority, then by name; no name twice.
    pub groups: Vec<Group>,
    /// The TCP servers in the order of their sections, then the unix sockets.
    pub servers: Vec<HttpServer>,
    /// The namespaces at which the stock XML-RPC interface is served: the names of the `rpcinterface` sections.
    pub interfaces: Vec<String>,
    /// What the daemon needs of the alert sections; `None` where there are none.
    pub watch: Option<WatchSummary>,
    /// What to log about the configuration once there is a log.
    pub notes: Notes,
}

impl Config {
    /// The URL that a child finds in `SUPERVISOR_SERVER_URL`: the first unix socket, else the first TCP
    /// server; `None` where there is no server at all.
    pub fn server_url(&self) -> Option<String> {
        let mut addresses = self.servers.iter().map(|server| &server.address);
        let unix = addresses.clone().find(|address| matches!(address, ServerAddress::Unix { .. }));
        Some(match unix.or_else(|| addresses.next())? {
            ServerAddress::Unix { path, .. } => format!("unix://{}", path.display()),
            ServerAddress::Tcp { host, port } if host.is_empty() => format!("http://localhost:{port}"),
            ServerAddress::Tcp { host, port } if host.contains(':') && !host.starts_with('[') => {
                format!("http://[{host}]:{port}")
            }
            ServerAddress::Tcp { host, port } => format!("http://{host}:{port}"),
        })
    }
}

/// Lines for the log, each in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// To be logged as CRIT; the configuration itself has none, the start adds to them.
    pub criticals: Vec<String>,
    /// To be logged as WARN.
    pub warnings: Vec<String>,
    /// To be logged as INFO.
    pub infos: Vec<String>,
    /// Not logged: hints for a person who checks the configuration.
    pub hints: Vec<String>,
    /// Those of the warnings that say why a listener cannot do its work, by its pool.
    pub listeners: Vec<(GroupName, String)>,
}
