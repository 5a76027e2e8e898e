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
pub(crate) struct SectionKind {
    /// `program:`, or the whole name of a section without a label.
    pub(crate) prefix: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [&'static str],
    /// The keys of another sort that it knows as well.
    pub(crate) also: &'static [&'static str],
}

impl SectionKind {
    /// Whether its keys are arguments to Python code.
    pub(crate) fn is_plugin(&self) -> bool {
        matches!(self.prefix, "rpcinterface:" | "ctlplugin:")
    }
}

/// Every sort of section.
pub(crate) const SECTION_KINDS: [SectionKind; 11] = [
    SectionKind { prefix: "unix_http_server", keys: &http::UNIX_KEYS, also: &[] },
    SectionKind { prefix: "inet_http_server", keys: &http::INET_KEYS, also: &[] },
    SectionKind { prefix: "supervisord", keys: &supervisord::KEYS, also: &[] },
    SectionKind { prefix: "supervisorctl", keys: &supervisorctl::KEYS, also: &[] },
    SectionKind { prefix: "program:", keys: &process::KEYS, also: &[] },
    SectionKind { prefix: "eventlistener:", keys: &eventlistener::KEYS, also: &process::KEYS },
    SectionKind { prefix: "fcgi-program:", keys: &fcgi::KEYS, also: &process::KEYS },
    SectionKind { prefix: "group:", keys: &group::KEYS, also: &[] },
    SectionKind { prefix: "include", keys: &include::KEYS, also: &[] },
    SectionKind { prefix: "rpcinterface:", keys: &plugin::RPC_KEYS, also: &[] },
    SectionKind { prefix: "ctlplugin:", keys: &plugin::CTL_KEYS, also: &[] },
];
