//! One file for each sort of section: its keys, their defaults, and what is made of them.

pub(crate) mod alerting;
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
    /// Lists of further keys that it knows as well.
    pub(crate) also: &'static [&'static [&'static str]],
}

impl SectionKind {
    /// Whether its keys are arguments to Python code.
    pub(crate) fn is_plugin(&self) -> bool {
        matches!(self.prefix, "rpcinterface:" | "ctlplugin:")
    }
}

/// Every sort of section.
pub(crate) const SECTION_KINDS: [SectionKind; 14] = [
    SectionKind { prefix: "unix_http_server", keys: &http::UNIX_KEYS, also: &[] },
    SectionKind { prefix: "inet_http_server", keys: &http::INET_KEYS, also: &[] },
    SectionKind { prefix: "supervisord", keys: &supervisord::KEYS, also: &[] },
    SectionKind { prefix: "supervisorctl", keys: &supervisorctl::KEYS, also: &[] },
    SectionKind { prefix: "program:", keys: &process::KEYS, also: &[&alerting::program::KEYS] },
    SectionKind {
        prefix: "eventlistener:",
        keys: &eventlistener::KEYS,
        also: &[&process::KEYS, &alerting::program::KEYS],
    },
    SectionKind {
        prefix: "fcgi-program:",
        keys: &fcgi::KEYS,
        also: &[&process::KEYS, &alerting::program::KEYS],
    },
    SectionKind { prefix: "group:", keys: &group::KEYS, also: &[&alerting::program::KEYS] },
    SectionKind { prefix: "include", keys: &include::KEYS, also: &[] },
    SectionKind { prefix: "rpcinterface:", keys: &plugin::RPC_KEYS, also: &[] },
    SectionKind { prefix: "ctlplugin:", keys: &plugin::CTL_KEYS, also: &[] },
    SectionKind { prefix: "watch", keys: &alerting::WATCH_KEYS, also: &[] },
    SectionKind { prefix: "alert:", keys: &alerting::RECEIVER_KEYS, also: &[] },
    SectionKind { prefix: "silence:", keys: &alerting::SILENCE_KEYS, also: &[] },
];
