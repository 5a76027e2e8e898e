//! Everything of the owner that has a descriptor, a channel or a clock: [`Io`]. It decides nothing about processes.

pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod host_lookup;
pub(crate) mod journal;
pub(crate) mod log_backlog;
pub(crate) mod log_tail;
pub(crate) mod output;
pub(crate) mod path_watch;
pub(crate) mod pipes;
pub(crate) mod poller;
pub(crate) mod slow_logs;
pub(crate) mod stdin;
pub(crate) mod subscribers;

use std::collections::HashMap;

use ironlance_host::code_pages::CodePageTrimmer;
use ironlance_rpc::{Fault, Value};
use tokio::sync::{mpsc, oneshot};

use crate::child::oom::OomMonitor;
use crate::http::{BoundServer, InheritedSocket};
use crate::log::main_log::MainLog;
use crate::log::syslog::Syslog;
use crate::reload::Reload;
use crate::startup::pidfile::Pidfile;
use crate::state::ids::CallId;
use children::Children;
use clock::DaemonClock;
use host_lookup::HostLookups;
use journal::Journal;
use path_watch::PathWatch;
use pipes::Pipes;
use slow_logs::SlowLogs;
use subscribers::Subscribers;

/// Where the answer to a call goes.
pub(crate) type ReplySender = oneshot::Sender<Result<Value, Fault>>;

/// What the owner reads, writes and asks.
pub(crate) struct Io {
    pub(crate) clock: DaemonClock,
    pub(crate) children: Box<dyn Children>,
    pub(crate) pipes: Pipes,
    pub(crate) slow_logs: SlowLogs,
    pub(crate) log: MainLog,
    /// The system's log, for the output of programs that want it there.
    pub(crate) syslog: Syslog,
    pub(crate) subscribers: Subscribers,
    pub(crate) calls: Calls,
    pub(crate) oom: OomMonitor,
    /// Names of hosts that are looked up.
    pub(crate) lookups: HostLookups,
    /// The servers' sockets, for the generation after this one.
    pub(crate) sockets: Vec<InheritedSocket>,
    /// Takes servers whose sockets were made again, so that they are served.
    pub(crate) reopened_sockets: mpsc::UnboundedSender<BoundServer>,
    pub(crate) pidfile: Option<Pidfile>,
    pub(crate) path_watch: PathWatch,
    /// What the next generation begins with, once it was requested and everything that it needs is there.
    pub(crate) reload: Option<Box<Reload>>,
    pub(crate) residency: CodePageTrimmer,
    /// Where the configuration asks for one.
    pub(crate) journal: Option<Box<Journal>>,
}

/// Clients that wait for an answer.
#[derive(Default)]
pub(crate) struct Calls {
    open: HashMap<CallId, ReplySender>,
    last: u64,
    /// The call that is being carried out.
    current: Option<CallId>,
}

impl Calls {
    pub(crate) fn add(&mut self, reply: ReplySender) -> CallId {
        self.last += 1;
        let id = CallId(self.last);
        self.open.insert(id, reply);
        self.current = Some(id);
        id
    }

    /// The current call is answered, or a wait or a batch answers it later.
    pub(crate) fn end_current(&mut self) {
        self.current = None;
    }

    /// A panic has cut the current call, and nothing would answer it: its client gets a fault now.
    pub(crate) fn drop_current(&mut self) {
        self.current.take().map(|id| self.open.remove(&id));
    }

    /// Answers a call; a client that has gone misses nothing.
    pub(crate) fn reply(&mut self, id: CallId, answer: Result<Value, Fault>) {
        if let Some(reply) = self.open.remove(&id) {
            let _ = reply.send(answer);
        }
    }
}
