//! One file for each sort of section: its keys, their defaults, and what is made of them.

pub(crate) mod eventlistener;
pub(crate) mod factory;
pub(crate) mod fcgi;
pub(crate) mod group;
pub(crate) mod http;
pub(crate) mod include;
pub(crate) mod plugin;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod supervisorctl;
pub(crate) mod supervisord;

/// A sort of section, and the keys it knows.
pub(crate) struct Sort {
    /// `program:`, or the whole name of a section without a label.
    pub(crate) prefix: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [&'static str],
    /// The keys of another sort that it knows as well.
    pub(crate) also: &'static [&'static str],
}

impl Sort {
    /// Whether its keys are arguments to Python code.
    pub(crate) fn is_plugin(&self) -> bool {
        matches!(self.prefix, "rpcinterface:" | "ctlplugin:")
    }
}

/// Every sort of section.
pub(crate) const SORTS: [Sort; 11] = [
    Sort { prefix: "unix_http_server", keys: &http::UNIX_KEYS, also: &[] },
    Sort { prefix: "inet_http_server", keys: &http::INET_KEYS, also: &[] },
    Sort { prefix: "supervisord", keys: &supervisord::KEYS, also: &[] },
    Sort { prefix: "supervisorctl", keys: &supervisorctl::KEYS, also: &[] },
    Sort { prefix: "program:", keys: &process::KEYS, also: &[] },
    Sort { prefix: "eventlistener:", keys: &eventlistener::KEYS, also: &process::KEYS },
    Sort { prefix: "fcgi-program:", keys: &fcgi::KEYS, also: &process::KEYS },
    Sort { prefix: "group:", keys: &group::KEYS, also: &[] },
    Sort { prefix: "include", keys: &include::KEYS, also: &[] },
    Sort { prefix: "rpcinterface:", keys: &plugin::RPC_KEYS, also: &[] },
    Sort { prefix: "ctlplugin:", keys: &plugin::CTL_KEYS, also: &[] },
];
