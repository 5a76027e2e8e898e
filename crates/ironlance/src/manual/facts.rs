//! What a manual page says beyond `--help`: files, signals, variables, statuses, and where to read on.

/// A section of a page.
pub(super) struct Facts {
    /// The pages it stands in.
    pub(super) pages: &'static [&'static str],
    /// Its heading.
    pub(super) title: &'static str,
    /// Terms, and what is said of each.
    pub(super) rows: &'static [(&'static str, &'static str)],
}

/// The six that come from superlance.
const LISTENERS: &[&str] = &["crashmail", "crashmailbatch", "fatalmailbatch", "crashsms", "httpok", "memmon"];

/// In the order in which they stand in a page.
pub(super) const FACTS: &[Facts] = &[
    Facts {
        pages: &["supervisord"],
        title: "Signals",
        rows: &[
            ("TERM, INT, QUIT", "Stop all programs in order, and end."),
            (
                "HUP",
                "Stop all programs, read the configuration, and start anew. A configuration with faults is refused.",
            ),
            ("USR2", "Open the logs anew, after logrotate."),
        ],
    },
    Facts {
        pages: &["supervisord"],
        title: "Exit status",
        rows: &[
            ("0", "An ordinary end."),
            ("2", "The command line or the configuration is refused."),
            ("70", "A fault in supervisord itself; the programs were stopped in order."),
        ],
    },
    Facts {
        pages: &["supervisorctl"],
        title: "Exit status",
        rows: &[
            ("0", "It worked, also where it was up or down already; status: all of them are up."),
            ("1", "It did not work: no such process, a fault of supervisord, a timeout."),
            (
                "2",
                "What was asked for makes no sense: the command line or the configuration is refused, start GROUP:* \
                 names no group, or check has found a fault.",
            ),
            (
                "3",
                "status: a program is STOPPED, EXITED, FATAL or UNKNOWN. Otherwise: supervisord has no \
                 [rpcinterface:supervisor], or cannot do what is ironlance's.",
            ),
            (
                "4",
                "status: there is no such program, or supervisord is not there. Otherwise: supervisord refuses \
                 connections.",
            ),
            ("5", "Supervisord is of another version."),
            (
                "7",
                "Supervisord is not there; or the program ended while it was started, or does not run and so gets no \
                 signal.",
            ),
        ],
    },
    Facts {
        pages: &["supervisord", "supervisorctl"],
        title: "Files",
        rows: &[(
            "../etc/supervisord.conf, ../supervisord.conf, supervisord.conf, etc/supervisord.conf, \
                 /etc/supervisord.conf, /etc/supervisor/supervisord.conf",
            "Where the configuration is looked for without -c; the first two from the folder of the program.",
        )],
    },
    Facts {
        pages: &["supervisord"],
        title: "Environment",
        rows: &[(
            "IRONLANCE_STOP_WAIT",
            "For how many seconds processes that were left to supervisord, as PID 1, may finish at its end; 3.",
        )],
    },
    Facts {
        pages: LISTENERS,
        title: "Environment",
        rows: &[
            (
                "SUPERVISOR_SERVER_URL, SUPERVISOR_USERNAME, SUPERVISOR_PASSWORD",
                "How supervisord is reached; it sets them for its listeners.",
            ),
            ("IRONLANCE_STATE", "Where alerts wait until they are delivered."),
            ("IRONLANCE_OUTBOX_DAYS", "For how many days an alert is tried; 3."),
            ("IRONLANCE_OUTBOX_LINGER", "For how many seconds delivery goes on without a listener; 3600."),
            ("IRONLANCE_OUTBOX_STALLED", "After how many seconds a deliverer that hangs is replaced; 180."),
            ("IRONLANCE_OUTBOX_DEAD_DAYS", "For how many days dead letters are kept; 30."),
            ("IRONLANCE_OUTBOX_MB", "How many MiB the outbox may have; 512."),
        ],
    },
    Facts {
        pages: LISTENERS,
        title: "Files",
        rows: &[(
            "/var/lib/ironlance, ~/.local/state/ironlance",
            "Where alerts wait, for root and for others, unless IRONLANCE_STATE says otherwise. See ironlance-outbox(1).",
        )],
    },
    Facts {
        pages: &["pidproxy"],
        title: "Exit status",
        rows: &[
            ("0", "The command has ended, or a signal that ends it was passed on."),
            ("1", "Arguments are missing, or nobody has the pid in the file."),
        ],
    },
];
